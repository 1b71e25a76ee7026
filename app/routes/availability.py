"""When a person can serve: a recurrence rule, single dates they cannot, and vacations. Oneself and administrators."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter
from pydantic import StringConstraints, model_validator
from sqlalchemy import Select, select

from app.errors import ApiError
from app.models import Availability, AvailabilityException, Person, VacationPeriod
from app.routes.caller import AnyCaller, Caller
from app.routes.lookup import found
from app.routes.paging import page
from app.routes.shapes import Body, Limit, LongText, Offset, Page, RowNumber, as_utc

router = APIRouter(prefix="/api/v1/people/{person_id}/availability", tags=["availability"])

# The form of RFC 5545, section 3.3.10, without judging the parts: whoever schedules reads them.
_RRULE = r"^FREQ=(SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)(;[A-Z]{1,20}=[A-Z0-9,+-]{1,200}){0,12}$"
RecurrenceRule = Annotated[str, StringConstraints(max_length=500, pattern=_RRULE)]


class AvailabilityWanted(Body):
    """`rrule`: a recurrence rule as in RFC 5545, without `RRULE:` in front; null: any time."""

    rrule: RecurrenceRule | None


class AvailabilityShown(Body):
    person_id: str
    rrule: str | None
    updated_at: dt.datetime | None


class ExceptionWanted(Body):
    date: dt.date


class ExceptionShown(Body):
    id: int
    date: dt.date


class VacationWanted(Body):
    """Both days are part of it."""

    start_date: dt.date
    end_date: dt.date
    reason: LongText | None = None

    @model_validator(mode="after")
    def _ends_no_sooner_than_it_starts(self) -> "VacationWanted":
        if self.end_date < self.start_date:
            raise ValueError("ends before it starts")
        return self


class VacationShown(Body):
    id: int
    start_date: dt.date
    end_date: dt.date
    reason: str | None


@router.get("")
def read(person_id: str, caller: AnyCaller) -> AvailabilityShown:
    """Of somebody who never said anything, too: no rule, no `updated_at`."""
    person = _person(person_id, caller)
    return _show(person, caller.session.scalar(_first_of(person)))


@router.put("")
def write(person_id: str, wanted: AvailabilityWanted, caller: AnyCaller) -> AvailabilityShown:
    person = _person(person_id, caller)
    availability = _own_row(person, caller)
    availability.rrule = wanted.rrule
    caller.session.commit()
    return _show(person, availability)


@router.get("/exceptions")
def list_exceptions(person_id: str, caller: AnyCaller, limit: Limit = 50, offset: Offset = 0) -> Page[ExceptionShown]:
    theirs = AvailabilityException.availability_id.in_(_rows_of(_person(person_id, caller)))
    order = (AvailabilityException.exception_date, AvailabilityException.id)
    return page(caller.session, select(AvailabilityException).where(theirs).order_by(*order), _show_exception, limit, offset)


@router.post("/exceptions", status_code=201)
def add_exception(person_id: str, wanted: ExceptionWanted, caller: AnyCaller) -> ExceptionShown:
    """409 when the date is there already."""
    person = _person(person_id, caller)
    availability = _own_row(person, caller)
    same = select(AvailabilityException.id).where(
        AvailabilityException.availability_id.in_(_rows_of(person)), AvailabilityException.exception_date == wanted.date
    )
    if caller.session.scalar(same.limit(1)):
        raise ApiError(409, "conflict")
    exception = AvailabilityException(availability_id=availability.id, exception_date=wanted.date)
    caller.session.add(exception)
    caller.session.commit()
    return _show_exception(exception)


@router.delete("/exceptions/{exception_id}", status_code=204)
def remove_exception(person_id: str, exception_id: RowNumber, caller: AnyCaller) -> None:
    theirs = AvailabilityException.availability_id.in_(_rows_of(_person(person_id, caller)))
    statement = select(AvailabilityException).where(AvailabilityException.id == exception_id, theirs)
    caller.session.delete(found(caller.session.scalar(statement)))
    caller.session.commit()


@router.get("/vacations")
def list_vacations(person_id: str, caller: AnyCaller, limit: Limit = 50, offset: Offset = 0) -> Page[VacationShown]:
    theirs = VacationPeriod.availability_id.in_(_rows_of(_person(person_id, caller)))
    order = (VacationPeriod.start_date, VacationPeriod.id)
    return page(caller.session, select(VacationPeriod).where(theirs).order_by(*order), _show_vacation, limit, offset)


@router.post("/vacations", status_code=201)
def add_vacation(person_id: str, wanted: VacationWanted, caller: AnyCaller) -> VacationShown:
    availability = _own_row(_person(person_id, caller), caller)
    vacation = VacationPeriod(
        availability_id=availability.id, start_date=wanted.start_date, end_date=wanted.end_date, reason=wanted.reason
    )
    caller.session.add(vacation)
    caller.session.commit()
    return _show_vacation(vacation)


@router.delete("/vacations/{vacation_id}", status_code=204)
def remove_vacation(person_id: str, vacation_id: RowNumber, caller: AnyCaller) -> None:
    theirs = VacationPeriod.availability_id.in_(_rows_of(_person(person_id, caller)))
    caller.session.delete(found(caller.session.scalar(select(VacationPeriod).where(VacationPeriod.id == vacation_id, theirs))))
    caller.session.commit()


def _person(person_id: str, caller: Caller) -> Person:
    person = found(caller.session.get(Person, person_id))
    if person.id != caller.person.id and not caller.is_admin:
        raise ApiError(403, "forbidden")
    return person


def _first_of(person: Person) -> Select[Availability]:
    return select(Availability).where(Availability.person_id == person.id).order_by(Availability.id).limit(1)


def _rows_of(person: Person) -> Select[int]:
    return select(Availability.id).where(Availability.person_id == person.id)


def _own_row(person: Person, caller: Caller) -> Availability:
    """The person's row, made when there is none; their own row is locked, so that two requests do not both make one."""
    caller.session.scalars(select(Person).where(Person.id == person.id).with_for_update()).one()
    availability = caller.session.scalar(_first_of(person))
    if availability is None:
        availability = Availability(person_id=person.id, extra_data={})
        caller.session.add(availability)
        caller.session.flush()
    return availability


def _show(person: Person, availability: Availability | None) -> AvailabilityShown:
    if availability is None:
        return AvailabilityShown(person_id=person.id, rrule=None, updated_at=None)
    return AvailabilityShown(person_id=person.id, rrule=availability.rrule, updated_at=as_utc(availability.updated_at))


def _show_exception(exception: AvailabilityException) -> ExceptionShown:
    return ExceptionShown(id=exception.id, date=exception.exception_date)


def _show_vacation(vacation: VacationPeriod) -> VacationShown:
    return VacationShown(id=vacation.id, start_date=vacation.start_date, end_date=vacation.end_date, reason=vacation.reason)
