"""Subscriptions, invoices and use against the plan."""

import datetime as dt
from typing import Any

from sqlalchemy import Boolean, DateTime, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JSONText, utc_now


class Subscription(Base):
    __tablename__ = "subscriptions"
    __table_args__ = (
        Index("idx_subscriptions_org_id", "org_id"),
        Index("idx_subscriptions_org_status", "org_id", "status"),
        Index("idx_subscriptions_status", "status"),
        Index("idx_subscriptions_stripe_customer", "stripe_customer_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id", ondelete="CASCADE"), unique=True)
    stripe_customer_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    stripe_subscription_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    plan_tier: Mapped[str] = mapped_column(String(20))
    billing_cycle: Mapped[str | None] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(20))
    trial_end_date: Mapped[dt.datetime | None] = mapped_column(DateTime)
    current_period_start: Mapped[dt.datetime | None] = mapped_column(DateTime)
    current_period_end: Mapped[dt.datetime | None] = mapped_column(DateTime)
    cancel_at_period_end: Mapped[bool] = mapped_column(Boolean, default=False)
    pending_downgrade: Mapped[Any] = mapped_column(JSONText, nullable=True)
    created_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)


class BillingHistory(Base):
    __tablename__ = "billing_history"
    __table_args__ = (
        Index("idx_billing_history_org_timestamp", "org_id", "event_timestamp"),
        Index("idx_billing_history_stripe_invoice", "stripe_invoice_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id", ondelete="CASCADE"))
    subscription_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("subscriptions.id", ondelete="CASCADE"))
    event_type: Mapped[str] = mapped_column(String(50))
    amount_cents: Mapped[int] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(String(3))
    payment_status: Mapped[str] = mapped_column(String(20))
    stripe_invoice_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    invoice_pdf_url: Mapped[str | None] = mapped_column(String(500))
    description: Mapped[str | None] = mapped_column(Text)
    extra_metadata: Mapped[Any] = mapped_column(JSONText, nullable=True)
    event_timestamp: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)


class PaymentMethod(Base):
    __tablename__ = "payment_methods"
    __table_args__ = (
        Index("idx_payment_methods_org_id", "org_id"),
        Index("idx_payment_methods_stripe_pm", "stripe_payment_method_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id", ondelete="CASCADE"))
    stripe_payment_method_id: Mapped[str] = mapped_column(String(255), unique=True)
    card_brand: Mapped[str | None] = mapped_column(String(20))
    card_last4: Mapped[str | None] = mapped_column(String(4))
    exp_month: Mapped[int | None] = mapped_column(Integer)
    exp_year: Mapped[int | None] = mapped_column(Integer)
    billing_address: Mapped[Any] = mapped_column(JSONText, nullable=True)
    is_primary: Mapped[bool] = mapped_column(Boolean, default=False)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    added_at: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)


class SubscriptionEvent(Base):
    __tablename__ = "subscription_events"
    __table_args__ = (
        Index("idx_subscription_events_org_timestamp", "org_id", "event_timestamp"),
        Index("idx_subscription_events_type", "event_type"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id", ondelete="CASCADE"))
    event_type: Mapped[str] = mapped_column(String(50))
    previous_plan: Mapped[str | None] = mapped_column(String(20))
    new_plan: Mapped[str] = mapped_column(String(20))
    admin_id: Mapped[str | None] = mapped_column(String, ForeignKey("people.id", ondelete="SET NULL"))
    reason: Mapped[str | None] = mapped_column(Text)
    notes: Mapped[str | None] = mapped_column(Text)
    extra_metadata: Mapped[Any] = mapped_column(JSONText, nullable=True)
    event_timestamp: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now)


class UsageMetric(Base):
    __tablename__ = "usage_metrics"
    __table_args__ = (Index("idx_usage_metrics_org_metric", "org_id", "metric_type"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str] = mapped_column(String, ForeignKey("organizations.id", ondelete="CASCADE"))
    metric_type: Mapped[str] = mapped_column(String(50))
    current_value: Mapped[int] = mapped_column(Integer)
    plan_limit: Mapped[int | None] = mapped_column(Integer)
    percentage_used: Mapped[float] = mapped_column(Float)
    last_updated: Mapped[dt.datetime] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)
