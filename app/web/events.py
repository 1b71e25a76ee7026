"""The events page: who comes, signing up, and cancelling. Every form works without JavaScript: POST, then a redirect."""

import urllib.parse
from typing import Annotated

from fastapi import APIRouter, Form, Query
from pydantic import AfterValidator
from sqlalchemy import select
from starlette.responses import RedirectResponse, Response

from app import signups
from app.errors import ApiError
from app.models import Assignment, Event, Organization
from app.routes.lookup import found
from app.web.board import card, title_of, upcoming
from app.web.fields import storable
from app.web.render import render
from app.web.session import FormVisitor, PageVisitor, Visitor

router = APIRouter(include_in_schema=False)

MAX_PAGE = 10_000
# What the address may say happened; the texts are the page's own.
_DONE = frozenset({"signed_up", "cancelled"})
_PROBLEMS = frozenset({"conflict", "full", "state_refused"})

PageNumber = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Role = Annotated[str, Form(max_length=200), AfterValidator(storable)]
FormPage = Annotated[int, Form(alias="page", ge=1, le=MAX_PAGE)]


@router.get("/events")
def events(
    visitor: PageVisitor,
    page: PageNumber = 1,
    done: str = "",
    problem: str = "",
    event: Annotated[str, Query(max_length=200), AfterValidator(storable)] = "",
) -> Response:
    cards, pages = upcoming(visitor, page)
    about = visitor.session.get(Event, event) if done in _DONE and event else None
    organization = found(visitor.session.get(Organization, visitor.person.org_id))
    return render(
        "events.html",
        visitor.language,
        visitor=visitor,
        organization=organization.name,
        cards=cards,
        page=page,
        pages=pages,
        done=(done, title_of(about)) if about else None,
        problem_code=problem if problem in _PROBLEMS else None,
        back="/events" if page == 1 else f"/events?page={page}",
    )


@router.get("/events/{event_id}/card")
def one_card(event_id: str, visitor: PageVisitor, page: PageNumber = 1) -> Response:
    """One event's part of the page, for the script to put in place of the one that is there."""
    event = found(visitor.session.get(Event, event_id))
    return render("card.html", visitor.language, visitor=visitor, card=card(visitor, event), page=page)


@router.post("/events/{event_id}/sign-up")
def sign_up(event_id: str, visitor: FormVisitor, role: Role = "", page: FormPage = 1) -> Response:
    """Also takes up what one was asked to do, or had declined."""
    own = _own(visitor, event_id)
    try:
        if own is None:
            signups.sign_up(visitor.session, event_id, visitor.person, role or None)
        elif own.status != "confirmed":
            signups.change_state(visitor.session, own.id, visitor.person, "confirmed")
        visitor.session.commit()
    except ApiError as error:
        return _back(event_id, page, error)
    return _back(event_id, page, "signed_up")


@router.post("/events/{event_id}/cancel")
def cancel(event_id: str, visitor: FormVisitor, page: FormPage = 1) -> Response:
    own = _own(visitor, event_id)
    if own is not None:  # a second click finds nothing, and what was wished is so
        signups.cancel(visitor.session, own.id, visitor.person, event_id)
        visitor.session.commit()
    return _back(event_id, page, "cancelled")


def _own(visitor: Visitor, event_id: str) -> Assignment | None:
    mine = Assignment.event_id == event_id, Assignment.person_id == visitor.person.id
    return visitor.session.scalars(select(Assignment).where(*mine).order_by(Assignment.id)).first()


def _back(event_id: str, page: int, outcome: str | ApiError) -> Response:
    if isinstance(outcome, ApiError):
        if outcome.code not in _PROBLEMS:
            raise outcome
        said = {"problem": outcome.code}
    else:
        said = {"done": outcome, "event": event_id}
    return RedirectResponse(f"/events?{urllib.parse.urlencode({'page': page, **said})}", 303)
