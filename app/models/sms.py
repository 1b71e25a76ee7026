"""Text messages, consent, templates and their cost."""

import datetime as dt
from typing import Any

from sqlalchemy import Boolean, DateTime, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JSONText, utc_now


class SmsMessage(Base):
    __tablename__ = "sms_messages"
    __table_args__ = (
        Index("idx_sms_messages_org_created", "organization_id", "created_at"),
        Index("idx_sms_messages_recipient_created", "recipient_id", "created_at"),
        Index("idx_sms_messages_status_created", "status", "created_at"),
        Index("idx_sms_messages_twilio_sid", "twilio_message_sid"),
        Index("idx_sms_messages_type_created", "message_type", "created_at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    organization_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id", ondelete="CASCADE"))
    recipient_id: Mapped[str] = mapped_column(String, ForeignKey("people.id", ondelete="CASCADE"))
    phone_number: Mapped[str] = mapped_column(String(20))
    message_text: Mapped[str] = mapped_column(Text)
    message_type: Mapped[str] = mapped_column(String(20))
    event_id: Mapped[str | None] = mapped_column(String, ForeignKey("events.id", ondelete="SET NULL"))
    template_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("sms_templates.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(String(20))
    twilio_message_sid: Mapped[str | None] = mapped_column(String(34), unique=True)
    cost_cents: Mapped[int] = mapped_column(Integer)
    error_message: Mapped[str | None] = mapped_column(Text)
    is_urgent: Mapped[bool] = mapped_column(Boolean, default=False)
    sent_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    delivered_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    failed_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    created_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)


class SmsPreferences(Base):
    __tablename__ = "sms_preferences"
    __table_args__ = (Index("idx_sms_preferences_verified", "verified", "opt_out_date"),)

    person_id: Mapped[str] = mapped_column(String, ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    phone_number: Mapped[str] = mapped_column(String(20))
    verified: Mapped[bool] = mapped_column(Boolean, default=False)
    notification_types: Mapped[Any] = mapped_column(JSONText, nullable=False)
    opt_in_date: Mapped[dt.datetime | None] = mapped_column(DateTime)
    opt_out_date: Mapped[dt.datetime | None] = mapped_column(DateTime)
    language: Mapped[str] = mapped_column(String(5))
    timezone: Mapped[str] = mapped_column(String(50))
    created_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class SmsReply(Base):
    __tablename__ = "sms_replies"
    __table_args__ = (
        Index("idx_sms_replies_person_created", "person_id", "created_at"),
        Index("idx_sms_replies_twilio_sid", "twilio_message_sid"),
        Index("idx_sms_replies_type_created", "reply_type", "created_at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    person_id: Mapped[str] = mapped_column(String, ForeignKey("people.id", ondelete="CASCADE"))
    phone_number: Mapped[str] = mapped_column(String(20))
    message_text: Mapped[str] = mapped_column(Text)
    reply_type: Mapped[str] = mapped_column(String(20))
    original_message_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("sms_messages.id", ondelete="SET NULL"))
    event_id: Mapped[str | None] = mapped_column(String, ForeignKey("events.id", ondelete="SET NULL"))
    action_taken: Mapped[str] = mapped_column(String(50))
    twilio_message_sid: Mapped[str | None] = mapped_column(String(34), unique=True)
    processed_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    created_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)


class SmsTemplate(Base):
    __tablename__ = "sms_templates"
    __table_args__ = (
        Index("idx_sms_templates_org_type", "organization_id", "message_type"),
        Index("idx_sms_templates_system", "is_system"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    organization_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    template_text: Mapped[str] = mapped_column(Text)
    message_type: Mapped[str] = mapped_column(String(20))
    character_count: Mapped[int] = mapped_column(Integer)
    translations: Mapped[Any] = mapped_column(JSONText, nullable=False)
    is_system: Mapped[bool] = mapped_column(Boolean, default=False)
    usage_count: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[str] = mapped_column(String, ForeignKey("people.id", ondelete="CASCADE"))
    created_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class SmsUsage(Base):
    __tablename__ = "sms_usage"
    __table_args__ = (Index("idx_sms_usage_month", "month_year"),)

    organization_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    month_year: Mapped[str] = mapped_column(String(7), primary_key=True)
    assignment_count: Mapped[int] = mapped_column(Integer)
    reminder_count: Mapped[int] = mapped_column(Integer)
    broadcast_count: Mapped[int] = mapped_column(Integer)
    system_count: Mapped[int] = mapped_column(Integer)
    total_cost_cents: Mapped[int] = mapped_column(Integer)
    budget_limit_cents: Mapped[int] = mapped_column(Integer)
    alert_threshold_percent: Mapped[int] = mapped_column(Integer)
    alert_sent_at_80: Mapped[bool] = mapped_column(Boolean, default=False)
    alert_sent_at_100: Mapped[bool] = mapped_column(Boolean, default=False)
    auto_pause_enabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class SmsVerificationCode(Base):
    __tablename__ = "sms_verification_codes"
    __table_args__ = (Index("idx_sms_verification_expires", "expires_at"),)

    person_id: Mapped[str] = mapped_column(String, ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    phone_number: Mapped[str] = mapped_column(String(20))
    verification_code: Mapped[int] = mapped_column(Integer)
    attempts: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[dt.datetime] = mapped_column(DateTime)
    created_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)
