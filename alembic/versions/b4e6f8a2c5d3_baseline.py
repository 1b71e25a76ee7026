"""The whole schema, as the existing application leaves it at its own head b4e6f8a2c5d3.

The id is that head, so a database of the existing application is already at this revision and nothing runs on it.
Column order follows the existing files (in `people` and `assignments` some columns were added late).
"""

import sqlalchemy as sa

from alembic import op

revision = "b4e6f8a2c5d3"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - one statement a table and index, in order
    op.create_table(
        "audit_logs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("user_email", sa.String(), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("resource_type", sa.String(), nullable=True),
        sa.Column("resource_id", sa.String(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=True),
        sa.Column("timestamp", sa.DateTime(timezone=True), server_default=sa.func.current_timestamp(), nullable=False),
        sa.Column("ip_address", sa.String(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("idx_audit_action_timestamp", "audit_logs", ["action", "timestamp"])
    op.create_index("idx_audit_org_timestamp", "audit_logs", ["organization_id", "timestamp"])
    op.create_index("idx_audit_user_timestamp", "audit_logs", ["user_id", "timestamp"])
    op.create_index("ix_audit_logs_action", "audit_logs", ["action"])
    op.create_index("ix_audit_logs_organization_id", "audit_logs", ["organization_id"])
    op.create_index("ix_audit_logs_timestamp", "audit_logs", ["timestamp"])
    op.create_index("ix_audit_logs_user_id", "audit_logs", ["user_id"])
    op.create_table(
        "organizations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("config", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(), nullable=True),
        sa.Column("data_retention_until", sa.DateTime(), nullable=True),
        sa.Column("deletion_scheduled_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "constraints",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=True),
        sa.Column("predicate", sa.String(), nullable=False),
        sa.Column("params", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
    )
    op.create_index("idx_constraints_key", "constraints", ["key"])
    op.create_index("idx_constraints_org_id", "constraints", ["org_id"])
    op.create_table(
        "holidays",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("is_long_weekend", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
    )
    op.create_index("idx_holidays_date", "holidays", ["date"])
    op.create_index("idx_holidays_org_id", "holidays", ["org_id"])
    op.create_table(
        "payment_methods",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("stripe_payment_method_id", sa.String(255), nullable=False),
        sa.Column("card_brand", sa.String(20), nullable=True),
        sa.Column("card_last4", sa.String(4), nullable=True),
        sa.Column("exp_month", sa.Integer(), nullable=True),
        sa.Column("exp_year", sa.Integer(), nullable=True),
        sa.Column("billing_address", sa.Text(), nullable=True),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("stripe_payment_method_id"),
    )
    op.create_index("idx_payment_methods_org_id", "payment_methods", ["org_id"])
    op.create_index("idx_payment_methods_stripe_pm", "payment_methods", ["stripe_payment_method_id"])
    op.create_table(
        "people",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("roles", sa.Text(), nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("invited_by", sa.String(), nullable=True),
        sa.Column("last_login", sa.DateTime(), nullable=True),
        sa.Column("calendar_token", sa.String(), nullable=True),
        sa.Column("is_sample", sa.Boolean(), nullable=False),
        sa.Column("extra_data", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("password_changed_at", sa.DateTime(), nullable=True),
        sa.Column("refresh_token_version", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["invited_by"], ["people.id"]),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
        sa.UniqueConstraint("calendar_token"),
    )
    op.create_index("idx_people_calendar_token", "people", ["calendar_token"])
    op.create_index("idx_people_email", "people", ["email"])
    op.create_index("idx_people_org_id", "people", ["org_id"])
    op.create_index("idx_people_status", "people", ["status"])
    op.create_table(
        "resources",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("extra_data", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
    )
    op.create_index("idx_resources_org_id", "resources", ["org_id"])
    op.create_table(
        "sms_usage",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("month_year", sa.String(7), nullable=False),
        sa.Column("assignment_count", sa.Integer(), nullable=False),
        sa.Column("reminder_count", sa.Integer(), nullable=False),
        sa.Column("broadcast_count", sa.Integer(), nullable=False),
        sa.Column("system_count", sa.Integer(), nullable=False),
        sa.Column("total_cost_cents", sa.Integer(), nullable=False),
        sa.Column("budget_limit_cents", sa.Integer(), nullable=False),
        sa.Column("alert_threshold_percent", sa.Integer(), nullable=False),
        sa.Column("alert_sent_at_80", sa.Boolean(), nullable=False),
        sa.Column("alert_sent_at_100", sa.Boolean(), nullable=False),
        sa.Column("auto_pause_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "month_year"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
    )
    op.create_index("idx_sms_usage_month", "sms_usage", ["month_year"])
    op.create_table(
        "solutions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("solve_ms", sa.Float(), nullable=True),
        sa.Column("hard_violations", sa.Integer(), nullable=False),
        sa.Column("soft_score", sa.Float(), nullable=False),
        sa.Column("health_score", sa.Float(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("is_published", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("published_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
    )
    op.create_index("idx_solutions_created_at", "solutions", ["created_at"])
    op.create_index("idx_solutions_org_id", "solutions", ["org_id"])
    op.create_index("idx_solutions_org_published", "solutions", ["org_id", "is_published"])
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("stripe_customer_id", sa.String(255), nullable=True),
        sa.Column("stripe_subscription_id", sa.String(255), nullable=True),
        sa.Column("plan_tier", sa.String(20), nullable=False),
        sa.Column("billing_cycle", sa.String(10), nullable=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("trial_end_date", sa.DateTime(), nullable=True),
        sa.Column("current_period_start", sa.DateTime(), nullable=True),
        sa.Column("current_period_end", sa.DateTime(), nullable=True),
        sa.Column("cancel_at_period_end", sa.Boolean(), nullable=False),
        sa.Column("pending_downgrade", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("org_id"),
        sa.UniqueConstraint("stripe_customer_id"),
        sa.UniqueConstraint("stripe_subscription_id"),
    )
    op.create_index("idx_subscriptions_org_id", "subscriptions", ["org_id"])
    op.create_index("idx_subscriptions_org_status", "subscriptions", ["org_id", "status"])
    op.create_index("idx_subscriptions_status", "subscriptions", ["status"])
    op.create_index("idx_subscriptions_stripe_customer", "subscriptions", ["stripe_customer_id"])
    op.create_table(
        "teams",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("is_sample", sa.Boolean(), nullable=False),
        sa.Column("extra_data", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
    )
    op.create_index("idx_teams_org_id", "teams", ["org_id"])
    op.create_table(
        "usage_metrics",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("metric_type", sa.String(50), nullable=False),
        sa.Column("current_value", sa.Integer(), nullable=False),
        sa.Column("plan_limit", sa.Integer(), nullable=True),
        sa.Column("percentage_used", sa.Float(), nullable=False),
        sa.Column("last_updated", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], ondelete="CASCADE"),
    )
    op.create_index("idx_usage_metrics_org_metric", "usage_metrics", ["org_id", "metric_type"])
    op.create_table(
        "availability",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("rrule", sa.String(), nullable=True),
        sa.Column("extra_data", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
    )
    op.create_index("idx_availability_person_id", "availability", ["person_id"])
    op.create_table(
        "billing_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=True),
        sa.Column("event_type", sa.String(50), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("payment_status", sa.String(20), nullable=False),
        sa.Column("stripe_invoice_id", sa.String(255), nullable=True),
        sa.Column("invoice_pdf_url", sa.String(500), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("extra_metadata", sa.Text(), nullable=True),
        sa.Column("event_timestamp", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("stripe_invoice_id"),
    )
    op.create_index("idx_billing_history_org_timestamp", "billing_history", ["org_id", "event_timestamp"])
    op.create_index("idx_billing_history_stripe_invoice", "billing_history", ["stripe_invoice_id"])
    op.create_table(
        "email_preferences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("frequency", sa.String(), nullable=False),
        sa.Column("enabled_types", sa.Text(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("digest_hour", sa.Integer(), nullable=False),
        sa.Column("unsubscribe_token", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.UniqueConstraint("person_id"),
        sa.UniqueConstraint("unsubscribe_token"),
    )
    op.create_index("idx_email_preferences_org_id", "email_preferences", ["org_id"])
    op.create_index("idx_email_preferences_person_id", "email_preferences", ["person_id"])
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("invited_by", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["invited_by"], ["people.id"]),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
        sa.UniqueConstraint("token"),
    )
    op.create_index("idx_invitations_email", "invitations", ["email"])
    op.create_index("idx_invitations_org_id", "invitations", ["org_id"])
    op.create_index("idx_invitations_status", "invitations", ["status"])
    op.create_index("idx_invitations_token", "invitations", ["token"])
    op.create_table(
        "onboarding_progress",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("wizard_step_completed", sa.Integer(), nullable=True),
        sa.Column("wizard_data", sa.Text(), nullable=True),
        sa.Column("checklist_state", sa.Text(), nullable=True),
        sa.Column("tutorials_completed", sa.Text(), nullable=True),
        sa.Column("features_unlocked", sa.Text(), nullable=True),
        sa.Column("videos_watched", sa.Text(), nullable=True),
        sa.Column("onboarding_skipped", sa.Boolean(), nullable=True),
        sa.Column("checklist_dismissed", sa.Boolean(), nullable=True),
        sa.Column("tutorials_dismissed", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.UniqueConstraint("person_id"),
    )
    op.create_index("idx_onboarding_progress_org_id", "onboarding_progress", ["org_id"])
    op.create_index("idx_onboarding_progress_person_id", "onboarding_progress", ["person_id"])
    op.create_table(
        "password_reset_tokens",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], ondelete="CASCADE"),
    )
    op.create_index("idx_password_reset_tokens_expires_at", "password_reset_tokens", ["expires_at"])
    op.create_index("idx_password_reset_tokens_person_id", "password_reset_tokens", ["person_id"])
    op.create_table(
        "recurring_series",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("duration", sa.Integer(), nullable=False),
        sa.Column("location", sa.String(), nullable=True),
        sa.Column("role_requirements", sa.Text(), nullable=True),
        sa.Column("pattern_type", sa.String(), nullable=False),
        sa.Column("frequency_interval", sa.Integer(), nullable=True),
        sa.Column("selected_days", sa.Text(), nullable=True),
        sa.Column("weekday_position", sa.String(), nullable=True),
        sa.Column("weekday_name", sa.String(), nullable=True),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_condition_type", sa.String(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=True),
        sa.Column("occurrence_count", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"]),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
    )
    op.create_index("idx_recurring_series_active", "recurring_series", ["active"])
    op.create_index("idx_recurring_series_created_by", "recurring_series", ["created_by"])
    op.create_index("idx_recurring_series_org_id", "recurring_series", ["org_id"])
    op.create_index("idx_recurring_series_start_date", "recurring_series", ["start_date"])
    op.create_table(
        "sms_preferences",
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("phone_number", sa.String(20), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("notification_types", sa.Text(), nullable=False),
        sa.Column("opt_in_date", sa.DateTime(), nullable=True),
        sa.Column("opt_out_date", sa.DateTime(), nullable=True),
        sa.Column("language", sa.String(5), nullable=False),
        sa.Column("timezone", sa.String(50), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], ondelete="CASCADE"),
    )
    op.create_index("idx_sms_preferences_verified", "sms_preferences", ["verified", "opt_out_date"])
    op.create_table(
        "sms_templates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("template_text", sa.Text(), nullable=False),
        sa.Column("message_type", sa.String(20), nullable=False),
        sa.Column("character_count", sa.Integer(), nullable=False),
        sa.Column("translations", sa.Text(), nullable=False),
        sa.Column("is_system", sa.Boolean(), nullable=False),
        sa.Column("usage_count", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["created_by"], ["people.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
    )
    op.create_index("idx_sms_templates_org_type", "sms_templates", ["organization_id", "message_type"])
    op.create_index("idx_sms_templates_system", "sms_templates", ["is_system"])
    op.create_table(
        "sms_verification_codes",
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("phone_number", sa.String(20), nullable=False),
        sa.Column("verification_code", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], ondelete="CASCADE"),
    )
    op.create_index("idx_sms_verification_expires", "sms_verification_codes", ["expires_at"])
    op.create_table(
        "subscription_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("event_type", sa.String(50), nullable=False),
        sa.Column("previous_plan", sa.String(20), nullable=True),
        sa.Column("new_plan", sa.String(20), nullable=False),
        sa.Column("admin_id", sa.String(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("extra_metadata", sa.Text(), nullable=True),
        sa.Column("event_timestamp", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["admin_id"], ["people.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], ondelete="CASCADE"),
    )
    op.create_index("idx_subscription_events_org_timestamp", "subscription_events", ["org_id", "event_timestamp"])
    op.create_index("idx_subscription_events_type", "subscription_events", ["event_type"])
    op.create_table(
        "team_members",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("joined_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"]),
    )
    op.create_index("idx_team_members_person_id", "team_members", ["person_id"])
    op.create_index("idx_team_members_team_id", "team_members", ["team_id"])
    op.create_table(
        "availability_exceptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("availability_id", sa.Integer(), nullable=False),
        sa.Column("exception_date", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["availability_id"], ["availability.id"]),
    )
    op.create_index("idx_availability_exceptions_availability_id", "availability_exceptions", ["availability_id"])
    op.create_index("idx_availability_exceptions_date", "availability_exceptions", ["exception_date"])
    op.create_table(
        "events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("start_time", sa.DateTime(), nullable=False),
        sa.Column("end_time", sa.DateTime(), nullable=False),
        sa.Column("resource_id", sa.String(), nullable=True),
        sa.Column("is_sample", sa.Boolean(), nullable=False),
        sa.Column("extra_data", sa.Text(), nullable=True),
        sa.Column("series_id", sa.String(), nullable=True),
        sa.Column("occurrence_sequence", sa.Integer(), nullable=True),
        sa.Column("is_exception", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"]),
        sa.ForeignKeyConstraint(["series_id"], ["recurring_series.id"]),
    )
    op.create_index("idx_events_org_id", "events", ["org_id"])
    op.create_index("idx_events_series_id", "events", ["series_id"])
    op.create_index("idx_events_start_time", "events", ["start_time"])
    op.create_table(
        "vacation_periods",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("availability_id", sa.Integer(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["availability_id"], ["availability.id"]),
    )
    op.create_index("idx_vacation_periods_availability_id", "vacation_periods", ["availability_id"])
    op.create_index("idx_vacation_periods_dates", "vacation_periods", ["start_date", "end_date"])
    op.create_table(
        "assignments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("solution_id", sa.Integer(), nullable=True),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("assigned_at", sa.DateTime(), nullable=True),
        sa.Column("status", sa.String(), server_default="confirmed", nullable=False),
        sa.Column("decline_reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.ForeignKeyConstraint(["solution_id"], ["solutions.id"]),
    )
    op.create_index("idx_assignments_event_id", "assignments", ["event_id"])
    op.create_index("idx_assignments_person_id", "assignments", ["person_id"])
    op.create_index("idx_assignments_solution_id", "assignments", ["solution_id"])
    op.create_table(
        "event_teams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("team_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"]),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"]),
    )
    op.create_index("idx_event_teams_event_id", "event_teams", ["event_id"])
    op.create_index("idx_event_teams_team_id", "event_teams", ["team_id"])
    op.create_table(
        "notifications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("recipient_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("template_data", sa.Text(), nullable=True),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("sendgrid_message_id", sa.String(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(), nullable=True),
        sa.Column("opened_at", sa.DateTime(), nullable=True),
        sa.Column("clicked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"]),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"]),
        sa.ForeignKeyConstraint(["recipient_id"], ["people.id"]),
        sa.UniqueConstraint("sendgrid_message_id"),
    )
    op.create_index("idx_notifications_created_at", "notifications", ["created_at"])
    op.create_index("idx_notifications_event_id", "notifications", ["event_id"])
    op.create_index("idx_notifications_org_id", "notifications", ["org_id"])
    op.create_index("idx_notifications_recipient_id", "notifications", ["recipient_id"])
    op.create_index("idx_notifications_status", "notifications", ["status"])
    op.create_table(
        "recurrence_exceptions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("occurrence_id", sa.String(), nullable=False),
        sa.Column("series_id", sa.String(), nullable=False),
        sa.Column("exception_type", sa.String(), nullable=False),
        sa.Column("original_title", sa.String(), nullable=True),
        sa.Column("original_start_time", sa.DateTime(), nullable=True),
        sa.Column("original_end_time", sa.DateTime(), nullable=True),
        sa.Column("original_location", sa.String(), nullable=True),
        sa.Column("custom_title", sa.String(), nullable=True),
        sa.Column("custom_start_time", sa.DateTime(), nullable=True),
        sa.Column("custom_end_time", sa.DateTime(), nullable=True),
        sa.Column("custom_location", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["occurrence_id"], ["events.id"]),
        sa.ForeignKeyConstraint(["series_id"], ["recurring_series.id"]),
        sa.UniqueConstraint("occurrence_id"),
    )
    op.create_index("idx_recurrence_exceptions_occurrence_id", "recurrence_exceptions", ["occurrence_id"])
    op.create_index("idx_recurrence_exceptions_series_id", "recurrence_exceptions", ["series_id"])
    op.create_table(
        "sms_messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("recipient_id", sa.String(), nullable=False),
        sa.Column("phone_number", sa.String(20), nullable=False),
        sa.Column("message_text", sa.Text(), nullable=False),
        sa.Column("message_type", sa.String(20), nullable=False),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("template_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("twilio_message_sid", sa.String(34), nullable=True),
        sa.Column("cost_cents", sa.Integer(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(), nullable=True),
        sa.Column("failed_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["recipient_id"], ["people.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["template_id"], ["sms_templates.id"], ondelete="SET NULL"),
        sa.UniqueConstraint("twilio_message_sid"),
    )
    op.create_index("idx_sms_messages_org_created", "sms_messages", ["organization_id", "created_at"])
    op.create_index("idx_sms_messages_recipient_created", "sms_messages", ["recipient_id", "created_at"])
    op.create_index("idx_sms_messages_status_created", "sms_messages", ["status", "created_at"])
    op.create_index("idx_sms_messages_twilio_sid", "sms_messages", ["twilio_message_sid"])
    op.create_index("idx_sms_messages_type_created", "sms_messages", ["message_type", "created_at"])
    op.create_table(
        "delivery_logs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("notification_id", sa.Integer(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("sendgrid_message_id", sa.String(), nullable=False),
        sa.Column("timestamp", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("raw_event", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["notification_id"], ["notifications.id"]),
    )
    op.create_index("idx_delivery_logs_notification_id", "delivery_logs", ["notification_id"])
    op.create_index("idx_delivery_logs_sendgrid_message_id", "delivery_logs", ["sendgrid_message_id"])
    op.create_index("idx_delivery_logs_timestamp", "delivery_logs", ["timestamp"])
    op.create_table(
        "sms_replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("phone_number", sa.String(20), nullable=False),
        sa.Column("message_text", sa.Text(), nullable=False),
        sa.Column("reply_type", sa.String(20), nullable=False),
        sa.Column("original_message_id", sa.Integer(), nullable=True),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("action_taken", sa.String(50), nullable=False),
        sa.Column("twilio_message_sid", sa.String(34), nullable=True),
        sa.Column("processed_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["original_message_id"], ["sms_messages.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("twilio_message_sid"),
    )
    op.create_index("idx_sms_replies_person_created", "sms_replies", ["person_id", "created_at"])
    op.create_index("idx_sms_replies_twilio_sid", "sms_replies", ["twilio_message_sid"])
    op.create_index("idx_sms_replies_type_created", "sms_replies", ["reply_type", "created_at"])


def downgrade() -> None:
    # Children first; an index goes with its table.
    op.drop_table("sms_replies")
    op.drop_table("delivery_logs")
    op.drop_table("sms_messages")
    op.drop_table("recurrence_exceptions")
    op.drop_table("notifications")
    op.drop_table("event_teams")
    op.drop_table("assignments")
    op.drop_table("vacation_periods")
    op.drop_table("events")
    op.drop_table("availability_exceptions")
    op.drop_table("team_members")
    op.drop_table("subscription_events")
    op.drop_table("sms_verification_codes")
    op.drop_table("sms_templates")
    op.drop_table("sms_preferences")
    op.drop_table("recurring_series")
    op.drop_table("password_reset_tokens")
    op.drop_table("onboarding_progress")
    op.drop_table("invitations")
    op.drop_table("email_preferences")
    op.drop_table("billing_history")
    op.drop_table("availability")
    op.drop_table("usage_metrics")
    op.drop_table("teams")
    op.drop_table("subscriptions")
    op.drop_table("solutions")
    op.drop_table("sms_usage")
    op.drop_table("resources")
    op.drop_table("people")
    op.drop_table("payment_methods")
    op.drop_table("holidays")
    op.drop_table("constraints")
    op.drop_table("organizations")
    op.drop_table("audit_logs")
