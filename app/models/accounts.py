"""Organisations, the people in them, and how they get in."""

import datetime as dt
from typing import Any

from sqlalchemy import JSON, Boolean, DateTime, ForeignKey, Index, Integer, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JSONText, utc_now


class Organization(Base):
    __tablename__ = "organizations"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    name: Mapped[str] = mapped_column(String)
    region: Mapped[str | None] = mapped_column(String)
    config: Mapped[Any] = mapped_column(JSONText, nullable=True)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)
    cancelled_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    data_retention_until: Mapped[dt.datetime | None] = mapped_column(DateTime)
    deletion_scheduled_at: Mapped[dt.datetime | None] = mapped_column(DateTime)


class Person(Base):
    __tablename__ = "people"
    __table_args__ = (
        Index("idx_people_calendar_token", "calendar_token"),
        Index("idx_people_email", "email"),
        Index("idx_people_org_id", "org_id"),
        Index("idx_people_status", "status"),
    )

    id: Mapped[str] = mapped_column(String, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String)
    email: Mapped[str | None] = mapped_column(String)
    password_hash: Mapped[str | None] = mapped_column(String)
    roles: Mapped[Any] = mapped_column(JSONText, nullable=True)
    timezone: Mapped[str] = mapped_column(String, default="UTC")
    language: Mapped[str] = mapped_column(String, default="en")
    status: Mapped[str] = mapped_column(String, default="active")
    invited_by: Mapped[str | None] = mapped_column(String, ForeignKey("people.id"))
    last_login: Mapped[dt.datetime | None] = mapped_column(DateTime)
    calendar_token: Mapped[str | None] = mapped_column(String, unique=True)
    is_sample: Mapped[bool] = mapped_column(Boolean, default=False)
    extra_data: Mapped[Any] = mapped_column(JSONText, nullable=True)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)
    password_changed_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    refresh_token_version: Mapped[int] = mapped_column(Integer, server_default="0", default=0)


class Invitation(Base):
    __tablename__ = "invitations"
    __table_args__ = (
        Index("idx_invitations_email", "email"),
        Index("idx_invitations_org_id", "org_id"),
        Index("idx_invitations_status", "status"),
        Index("idx_invitations_token", "token"),
    )

    id: Mapped[str] = mapped_column(String, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    email: Mapped[str] = mapped_column(String)
    name: Mapped[str] = mapped_column(String)
    roles: Mapped[Any] = mapped_column(JSONText, nullable=False)
    invited_by: Mapped[str] = mapped_column(String, ForeignKey("people.id"))
    token: Mapped[str] = mapped_column(String, unique=True)
    status: Mapped[str] = mapped_column(String, default="pending")
    expires_at: Mapped[dt.datetime] = mapped_column(DateTime)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    accepted_at: Mapped[dt.datetime | None] = mapped_column(DateTime)


class OnboardingProgress(Base):
    __tablename__ = "onboarding_progress"
    __table_args__ = (
        Index("idx_onboarding_progress_org_id", "org_id"),
        Index("idx_onboarding_progress_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    person_id: Mapped[str] = mapped_column(String, ForeignKey("people.id"), unique=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    wizard_step_completed: Mapped[int | None] = mapped_column(Integer)
    wizard_data: Mapped[Any] = mapped_column(JSONText, nullable=True)
    checklist_state: Mapped[Any] = mapped_column(JSONText, nullable=True)
    tutorials_completed: Mapped[Any] = mapped_column(JSONText, nullable=True)
    features_unlocked: Mapped[Any] = mapped_column(JSONText, nullable=True)
    videos_watched: Mapped[Any] = mapped_column(JSONText, nullable=True)
    onboarding_skipped: Mapped[bool | None] = mapped_column(Boolean)
    checklist_dismissed: Mapped[bool | None] = mapped_column(Boolean)
    tutorials_dismissed: Mapped[bool | None] = mapped_column(Boolean)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class PasswordResetToken(Base):
    __tablename__ = "password_reset_tokens"
    __table_args__ = (
        Index("idx_password_reset_tokens_expires_at", "expires_at"),
        Index("idx_password_reset_tokens_person_id", "person_id"),
    )

    token_hash: Mapped[str] = mapped_column(String, primary_key=True)
    person_id: Mapped[str] = mapped_column(String, ForeignKey("people.id", ondelete="CASCADE"))
    expires_at: Mapped[dt.datetime] = mapped_column(DateTime)
    created_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)
    used_at: Mapped[dt.datetime | None] = mapped_column(DateTime)


class AuditLog(Base):
    __tablename__ = "audit_logs"
    __table_args__ = (
        Index("idx_audit_action_timestamp", "action", "timestamp"),
        Index("idx_audit_org_timestamp", "organization_id", "timestamp"),
        Index("idx_audit_user_timestamp", "user_id", "timestamp"),
        Index("ix_audit_logs_action", "action"),
        Index("ix_audit_logs_organization_id", "organization_id"),
        Index("ix_audit_logs_timestamp", "timestamp"),
        Index("ix_audit_logs_user_id", "user_id"),
    )

    id: Mapped[str] = mapped_column(String, primary_key=True)
    user_id: Mapped[str | None] = mapped_column(String)
    user_email: Mapped[str | None] = mapped_column(String)
    organization_id: Mapped[str | None] = mapped_column(String)
    action: Mapped[str] = mapped_column(String)
    resource_type: Mapped[str | None] = mapped_column(String)
    resource_id: Mapped[str | None] = mapped_column(String)
    details: Mapped[Any] = mapped_column(JSON, nullable=True)
    timestamp: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True), server_default=func.current_timestamp())
    ip_address: Mapped[str | None] = mapped_column(String)
    user_agent: Mapped[str | None] = mapped_column(String)
    status: Mapped[str] = mapped_column(String)
    error_message: Mapped[str | None] = mapped_column(String)
