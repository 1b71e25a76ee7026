"""Mail to people and what became of it."""

import datetime as dt
from typing import Any

from sqlalchemy import DateTime, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JSONText, utc_now


class Notification(Base):
    __tablename__ = "notifications"
    __table_args__ = (
        Index("idx_notifications_created_at", "created_at"),
        Index("idx_notifications_event_id", "event_id"),
        Index("idx_notifications_org_id", "org_id"),
        Index("idx_notifications_recipient_id", "recipient_id"),
        Index("idx_notifications_status", "status"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    recipient_id: Mapped[str] = mapped_column(String, ForeignKey("people.id"))
    type: Mapped[str] = mapped_column(String)
    status: Mapped[str] = mapped_column(String, default="pending")
    event_id: Mapped[str | None] = mapped_column(String, ForeignKey("events.id"))
    template_data: Mapped[Any] = mapped_column(JSONText, nullable=True)
    retry_count: Mapped[int] = mapped_column(Integer, default=0)
    sendgrid_message_id: Mapped[str | None] = mapped_column(String, unique=True)
    error_message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)
    sent_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    delivered_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    opened_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    clicked_at: Mapped[dt.datetime | None] = mapped_column(DateTime)


class DeliveryLog(Base):
    __tablename__ = "delivery_logs"
    __table_args__ = (
        Index("idx_delivery_logs_notification_id", "notification_id"),
        Index("idx_delivery_logs_sendgrid_message_id", "sendgrid_message_id"),
        Index("idx_delivery_logs_timestamp", "timestamp"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    notification_id: Mapped[int] = mapped_column(Integer, ForeignKey("notifications.id"))
    event_type: Mapped[str] = mapped_column(String)
    sendgrid_message_id: Mapped[str] = mapped_column(String)
    timestamp: Mapped[dt.datetime] = mapped_column(DateTime)
    reason: Mapped[str | None] = mapped_column(Text)
    raw_event: Mapped[Any] = mapped_column(JSONText, nullable=True)
    created_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now)


class EmailPreferences(Base):
    __tablename__ = "email_preferences"
    __table_args__ = (
        Index("idx_email_preferences_org_id", "org_id"),
        Index("idx_email_preferences_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    person_id: Mapped[str] = mapped_column(String, ForeignKey("people.id"), unique=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id"))
    frequency: Mapped[str] = mapped_column(String)
    enabled_types: Mapped[Any] = mapped_column(JSONText, nullable=False)
    language: Mapped[str] = mapped_column(String)
    timezone: Mapped[str] = mapped_column(String)
    digest_hour: Mapped[int] = mapped_column(Integer)
    unsubscribe_token: Mapped[str] = mapped_column(String, unique=True)
    updated_at: Mapped[dt.datetime | None] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)
