"""When people can and cannot serve."""

import datetime as dt
from typing import Any

from sqlalchemy import Date, DateTime, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JSONText, utc_now


class Availability(Base):
    __tablename__ = "availability"
    __table_args__ = (Index("idx_availability_person_id", "person_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    person_id: Mapped[str] = mapped_column(String, ForeignKey("people.id"))
    rrule: Mapped[str | None] = mapped_column(String)
    extra_data: Mapped[Any] = mapped_column(JSONText, nullable=True)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class AvailabilityException(Base):
    __tablename__ = "availability_exceptions"
    __table_args__ = (
        Index("idx_availability_exceptions_availability_id", "availability_id"),
        Index("idx_availability_exceptions_date", "exception_date"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    availability_id: Mapped[int] = mapped_column(Integer, ForeignKey("availability.id"))
    exception_date: Mapped[dt.date] = mapped_column(Date)


class VacationPeriod(Base):
    __tablename__ = "vacation_periods"
    __table_args__ = (
        Index("idx_vacation_periods_availability_id", "availability_id"),
        Index("idx_vacation_periods_dates", "start_date", "end_date"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    availability_id: Mapped[int] = mapped_column(Integer, ForeignKey("availability.id"))
    start_date: Mapped[dt.date] = mapped_column(Date)
    end_date: Mapped[dt.date] = mapped_column(Date)
    reason: Mapped[str | None] = mapped_column(String)
