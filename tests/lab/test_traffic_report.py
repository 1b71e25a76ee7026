"""The arithmetic of traffic reports, and what the traffic is made of."""

import asyncio
import collections
import ssl

import pytest

from tests.traffic import mix
from tests.traffic.report import Record, Report, percentile
from tests.traffic.streams import Listener
from tests.traffic.wire import Exchange, Lost, cause


@pytest.mark.parametrize(
    ("values", "quantile", "expected"),
    [
        ([], 0.99, 0.0),
        ([7], 0.5, 7),
        ([3, 1, 2, 4], 0.5, 2),
        (range(1, 101), 0.99, 99),
        (range(1, 201), 0.99, 198),
        ([5, 9], 1, 9),
    ],
)
def test_percentiles_are_of_the_nearest_rank(values: list[float], quantile: float, expected: float) -> None:
    assert percentile(values, quantile) == expected


def report() -> Report:
    return Report(
        begins=0,
        ends=10,
        records=[
            Record(1.0, 10, 1, "keepalive-get"),
            Record(2.0, 30, 2, "fresh-post", "http: 503 b'no'"),
            Record(3.0, 20, 9, "h2-live"),
            Record(4.0, 15000, 0, "h2-get", "timeout: after 15 s"),
            Record(4.5, 5005, 0, "slow"),
            Record(5.0, 6000, 0, "download", "incomplete: 5 of 50 bytes"),
            Record(0.5, 8, 0, "stream"),
            Record(6.0, 0, 0, "stream-end"),
            Record(6.1, 8, 0, "stream-again"),
            Record(7.0, 0, 0, "stream-end", "broken: reset: gone"),
        ],
        writes=[(2.5, "event_a"), (8.0, "event_b")],
        cpu=[(0.0, 0.5), (5.0, 1.5), (10.0, 4.5)],
    )


def test_an_end_of_a_stream_is_no_request_and_one_without_goodbye_is_a_failure() -> None:
    found = report().as_dict()
    assert (found["sent"], found["failed"]) == (8, 4)
    assert (found["streams_opened"], found["streams_reconnected"], found["streams_broken"]) == (1, 1, 1)


def test_failures_of_the_connection_are_apart_from_those_of_http() -> None:
    found = report().as_dict()
    assert found["failed_by_class"] == {"connection": 3, "http": 1}
    assert found["failed_by_kind"] == {"download": 1, "fresh-post": 1, "h2-get": 1, "stream-end": 1}
    assert found["failed_by_cause"] == {"broken": 1, "http 503": 1, "incomplete": 1, "timeout": 1}


def test_only_short_requests_are_timed() -> None:
    found = report().as_dict()
    assert found["short"] == {"sent": 4, "p50_ms": 20, "p99_ms": 15000, "max_ms": 15000}
    assert found["schedule_lag_p99_ms"] == 9
    assert (found["slow_answered"], found["downloads_complete"]) == (1, 0)


def test_a_window_holds_what_was_sent_in_it() -> None:
    window = report().between(2.0, 4.0)
    assert [record.sent_at for record in window.records] == [2.0, 3.0]
    assert (window.failed, window.seconds, window.writes) == (1, 2.0, [(2.5, "event_a")])


def test_processor_time_is_of_the_window() -> None:
    assert report().client_cpu == pytest.approx(0.4)
    assert report().between(5.0, 10.0).client_cpu == pytest.approx(0.6)
    assert report().between(6.0, 9.0).client_cpu == 0


def test_samples_are_few() -> None:
    many = [Record(float(number), 1, 0, "h2-get", "reset: gone") for number in range(100)]
    assert len(Report(0, 100, many).as_dict()["samples"]) == 20


def test_a_report_is_made_of_what_the_sender_printed() -> None:
    printed = {
        "seconds": 2.5,
        "records": [[1.0, 2.0, 0.1, "slow", ""]],
        "writes": [[1.5, "event_a"]],
        "cpu": [],
        "cut_short": True,
    }
    assert Report.of(printed) == Report(0.0, 2.5, [Record(1.0, 2.0, 0.1, "slow")], [(1.5, "event_a")], [], cut_short=True)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, "closed"),
        (ConnectionRefusedError(), "refused"),
        (ConnectionResetError("by peer"), "reset"),
        (ConnectionAbortedError(), "reset"),
        (ssl.SSLCertVerificationError("unknown"), "tls"),
        (TimeoutError(), "timeout"),
        (OSError("no route"), "unreachable"),
    ],
)
def test_errors_of_connections_have_names(error: OSError | None, expected: str) -> None:
    record = Record(0, 0, 0, "fresh-get", cause(error))
    assert (record.failure, record.failure_class) == (expected, "connection")


def test_an_answer_that_breaks_off_is_incomplete() -> None:
    async def broken() -> None:
        exchange = Exchange()
        exchange.status = 200
        exchange.piece(b"half")
        exchange.lose("reset: gone")
        await exchange.done

    with pytest.raises(Lost, match=r"^incomplete: 4 bytes of a 200, then reset: gone$"):
        asyncio.run(broken())


def test_a_listener_finds_goodbye_in_pieces() -> None:
    listener = Listener()
    listener.take(b"retry: 1000\nid: 1\nevent: ready\n\nev")
    assert (listener.opened.is_set(), listener.bye) == (True, False)
    listener.take(b"ent: by")
    listener.take(b"e\ndata: {}\n\n")
    assert listener.bye


def test_the_mix_is_as_described() -> None:
    tokens = ["read", "one", "two"]
    found = [mix.short(number, tokens) for number in range(600)]
    questions = collections.Counter(question for _, question, _ in found)
    assert questions == {"post": 180, "get": 180, "live": 240}
    assert collections.Counter(connection for connection, _, _ in found) == {"keepalive": 240, "fresh": 180, "h2": 180}
    assert {f"{connection}-{question}" for connection, question, _ in found} == set(mix.KINDS)
    assert {request.token for _, question, request in found if question == "post"} == {"one", "two"}
    assert {request.token for _, question, request in found if question == "get"} == {"read"}
