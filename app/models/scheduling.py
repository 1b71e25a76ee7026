"""Events, who serves at them, and the solver's inputs and results."""

import datetime as dt
from typing import Any

from sqlalchemy import Boolean, Date, DateTime, Float, ForeignKey, Index, Integer, String, false
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JSONText, utc_now


class Event(Base):
    __tablename__ = "events"
    __table_args__ = (
        Index("idx_events_org_id", "org_id"),
        Index("idx_events_series_id", "series_id"),
        Index("idx_events_start_time", "start_time"),
    )

    id: Mapped[str] = mapped_column(String, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    type: Mapped[str] = mapped_column(String)
    start_time: Mapped[dt.datetime] = mapped_column(DateTime)
    end_time: Mapped[dt.datetime] = mapped_column(DateTime)
    resource_id: Mapped[str | None] = mapped_column(String, ForeignKey("resources.id"))
    is_sample: Mapped[bool] = mapped_column(Boolean, default=False)
    extra_data: Mapped[Any] = mapped_column(JSONText, nullable=True)
    series_id: Mapped[str | None] = mapped_column(String, ForeignKey("recurring_series.id"))
    occurrence_sequence: Mapped[int | None] = mapped_column(Integer)
    is_exception: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class Assignment(Base):
    __tablename__ = "assignments"
    __table_args__ = (
        Index("idx_assignments_event_id", "event_id"),
        Index("idx_assignments_person_id", "person_id"),
        Index("idx_assignments_solution_id", "solution_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    solution_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("solutions.id"))
    event_id: Mapped[str] = mapped_column(String, ForeignKey("events.id"))
    person_id: Mapped[str] = mapped_column(String, ForeignKey("people.id"))
    role: Mapped[str | None] = mapped_column(String)
    assigned_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    status: Mapped[str] = mapped_column(String, server_default="confirmed", default="confirmed")
    decline_reason: Mapped[str | None] = mapped_column(String)


class EventTeam(Base):
    __tablename__ = "event_teams"
    __table_args__ = (
        Index("idx_event_teams_event_id", "event_id"),
        Index("idx_event_teams_team_id", "team_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    event_id: Mapped[str] = mapped_column(String, ForeignKey("events.id"))
    team_id: Mapped[str] = mapped_column(String, ForeignKey("teams.id"))


class Team(Base):
    __tablename__ = "teams"
    __table_args__ = (Index("idx_teams_org_id", "org_id"),)

    id: Mapped[str] = mapped_column(String, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String)
    description: Mapped[str | None] = mapped_column(String)
    is_sample: Mapped[bool] = mapped_column(Boolean, default=False)
    extra_data: Mapped[Any] = mapped_column(JSONText, nullable=True)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class TeamMember(Base):
    __tablename__ = "team_members"
    __table_args__ = (
        Index("idx_team_members_person_id", "person_id"),
        Index("idx_team_members_team_id", "team_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    team_id: Mapped[str] = mapped_column(String, ForeignKey("teams.id"))
    person_id: Mapped[str] = mapped_column(String, ForeignKey("people.id"))
    joined_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)


class Resource(Base):
    __tablename__ = "resources"
    __table_args__ = (Index("idx_resources_org_id", "org_id"),)

    id: Mapped[str] = mapped_column(String, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    type: Mapped[str] = mapped_column(String)
    location: Mapped[str] = mapped_column(String)
    capacity: Mapped[int | None] = mapped_column(Integer)
    extra_data: Mapped[Any] = mapped_column(JSONText, nullable=True)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class RecurringSeries(Base):
    __tablename__ = "recurring_series"
    __table_args__ = (
        Index("idx_recurring_series_active", "active"),
        Index("idx_recurring_series_created_by", "created_by"),
        Index("idx_recurring_series_org_id", "org_id"),
        Index("idx_recurring_series_start_date", "start_date"),
    )

    id: Mapped[str] = mapped_column(String, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    created_by: Mapped[str] = mapped_column(String, ForeignKey("people.id"))
    title: Mapped[str] = mapped_column(String)
    duration: Mapped[int] = mapped_column(Integer)
    location: Mapped[str | None] = mapped_column(String)
    role_requirements: Mapped[Any] = mapped_column(JSONText, nullable=True)
    pattern_type: Mapped[str] = mapped_column(String)
    frequency_interval: Mapped[int | None] = mapped_column(Integer)
    selected_days: Mapped[Any] = mapped_column(JSONText, nullable=True)
    weekday_position: Mapped[str | None] = mapped_column(String)
    weekday_name: Mapped[str | None] = mapped_column(String)
    start_date: Mapped[dt.date] = mapped_column(Date)
    end_condition_type: Mapped[str] = mapped_column(String)
    end_date: Mapped[dt.date | None] = mapped_column(Date)
    occurrence_count: Mapped[int | None] = mapped_column(Integer)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class RecurrenceException(Base):
    __tablename__ = "recurrence_exceptions"
    __table_args__ = (
        Index("idx_recurrence_exceptions_occurrence_id", "occurrence_id"),
        Index("idx_recurrence_exceptions_series_id", "series_id"),
    )

    id: Mapped[str] = mapped_column(String, primary_key=True)
    occurrence_id: Mapped[str] = mapped_column(String, ForeignKey("events.id"), unique=True)
    series_id: Mapped[str] = mapped_column(String, ForeignKey("recurring_series.id"))
    exception_type: Mapped[str] = mapped_column(String)
    original_title: Mapped[str | None] = mapped_column(String)
    original_start_time: Mapped[dt.datetime | None] = mapped_column(DateTime)
    original_end_time: Mapped[dt.datetime | None] = mapped_column(DateTime)
    original_location: Mapped[str | None] = mapped_column(String)
    custom_title: Mapped[str | None] = mapped_column(String)
    custom_start_time: Mapped[dt.datetime | None] = mapped_column(DateTime)
    custom_end_time: Mapped[dt.datetime | None] = mapped_column(DateTime)
    custom_location: Mapped[str | None] = mapped_column(String)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)


class Holiday(Base):
    __tablename__ = "holidays"
    __table_args__ = (
        Index("idx_holidays_date", "date"),
        Index("idx_holidays_org_id", "org_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    date: Mapped[dt.date] = mapped_column(Date)
    label: Mapped[str] = mapped_column(String)
    is_long_weekend: Mapped[bool | None] = mapped_column(Boolean)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)


class Constraint(Base):
    __tablename__ = "constraints"
    __table_args__ = (
        Index("idx_constraints_key", "key"),
        Index("idx_constraints_org_id", "org_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    key: Mapped[str] = mapped_column(String)
    type: Mapped[str] = mapped_column(String)
    weight: Mapped[int | None] = mapped_column(Integer)
    predicate: Mapped[str] = mapped_column(String)
    params: Mapped[Any] = mapped_column(JSONText, nullable=True)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class Solution(Base):
    __tablename__ = "solutions"
    __table_args__ = (
        Index("idx_solutions_created_at", "created_at"),
        Index("idx_solutions_org_id", "org_id"),
        Index("idx_solutions_org_published", "org_id", "is_published"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    solve_ms: Mapped[float | None] = mapped_column(Float)
    hard_violations: Mapped[int] = mapped_column(Integer)
    soft_score: Mapped[float] = mapped_column(Float)
    health_score: Mapped[float] = mapped_column(Float)
    metrics: Mapped[Any] = mapped_column(JSONText, nullable=True)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    is_published: Mapped[bool] = mapped_column(Boolean, server_default=false(), default=False)
    published_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
