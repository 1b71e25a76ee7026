"""What each column of the schema says about people, and what becomes of it where they must not be known (staging).

`python -m app.personal_data` prints it as JSON for whoever restores a backup elsewhere (app_personal_data_command). The
rules travel with the image, so that they are those of its schema; a column without one fails a test and stops such a restore.

Rules: `keep` as it is; `person` a pseudonym in the place of an id that is made from a mail address, the same wherever it
stands; `name`, `email`, `phone`, `token`, `text` something else of that kind; `password` one that the operator gives, or
none; `json` nothing of it; `json KEY ...` those keys alone. What is kept of text has a form that the application itself writes:
`word`, `id`, `rrule`, and `words` of JSON; whatever somebody typed in its place becomes something else, the same wherever it
stands (a role is typed, and an import may bring any text anywhere). A table that is `empty` loses its rows: queues that would
send, and what has no use without the people in it.
"""

from __future__ import annotations

import json

from sqlalchemy import JSON as JSONType
from sqlalchemy import String

from app.models import Base
from app.models.base import JSONText

KEEP, PERSON, NAME, EMAIL, PHONE, TOKEN, TEXT, PASSWORD, JSON = (
    *("keep", "person", "name", "email", "phone", "token", "text", "password", "json"),
)
ID, WORD, WORDS, RRULE = "id", "word", "words", "rrule"
EMPTY = "empty"

RULES: dict[str, dict[str, str] | str] = {
    "alembic_version": {"version_num": KEEP},
    "assignments": {
        **dict.fromkeys(("id", "solution_id", "event_id", "role", "assigned_at", "status"), KEEP),
        "person_id": PERSON,
        "decline_reason": TEXT,
    },
    # Who did what from which address.
    "audit_logs": EMPTY,
    "availability": {
        **dict.fromkeys(("id", "created_at", "updated_at"), KEEP),
        "rrule": RRULE,
        "person_id": PERSON,
        "extra_data": JSON,
    },
    "availability_exceptions": dict.fromkeys(("id", "availability_id", "exception_date"), KEEP),
    "billing_history": EMPTY,
    "constraints": dict.fromkeys(
        ("id", "org_id", "key", "type", "weight", "predicate", "params", "created_at", "updated_at"), KEEP
    ),
    "delivery_logs": EMPTY,
    "email_preferences": {
        **dict.fromkeys(
            ("id", "org_id", "frequency", "enabled_types", "language", "timezone", "digest_hour", "updated_at"), KEEP
        ),
        "person_id": PERSON,
        "unsubscribe_token": TOKEN,
    },
    "event_teams": dict.fromkeys(("id", "event_id", "team_id"), KEEP),
    "events": {
        **dict.fromkeys(("id", "org_id", "start_time", "end_time", "resource_id", "is_sample", "series_id"), KEEP),
        **dict.fromkeys(("occurrence_sequence", "is_exception", "created_at", "updated_at"), KEEP),
        "type": TEXT,
        # What scheduling needs; titles and notes are free text.
        "extra_data": "json role_counts",
    },
    "holidays": {
        **dict.fromkeys(("id", "org_id", "date", "is_long_weekend", "created_at"), KEEP),
        "label": TEXT,
    },
    "invitations": EMPTY,
    "notifications": EMPTY,
    "onboarding_progress": {
        **dict.fromkeys(("id", "org_id", "wizard_step_completed", "checklist_state", "tutorials_completed"), KEEP),
        **dict.fromkeys(("features_unlocked", "videos_watched", "onboarding_skipped", "checklist_dismissed"), KEEP),
        **dict.fromkeys(("tutorials_dismissed", "created_at", "updated_at"), KEEP),
        "person_id": PERSON,
        "wizard_data": JSON,
    },
    "organizations": {
        # The id is in every row and in addresses; it names an organisation, not a person.
        **dict.fromkeys(("id", "region", "created_at", "updated_at", "cancelled_at", "data_retention_until"), KEEP),
        "deletion_scheduled_at": KEEP,
        "name": NAME,
        "config": "json roles",
    },
    "password_reset_tokens": EMPTY,
    "payment_methods": EMPTY,
    "people": {
        **dict.fromkeys(("org_id", "roles", "timezone", "language", "status", "last_login", "is_sample"), KEEP),
        **dict.fromkeys(("created_at", "updated_at", "password_changed_at", "refresh_token_version"), KEEP),
        "id": PERSON,
        "name": NAME,
        "email": EMAIL,
        "password_hash": PASSWORD,
        "invited_by": PERSON,
        "calendar_token": TOKEN,
        "extra_data": JSON,
    },
    "recurrence_exceptions": {
        **dict.fromkeys(("id", "occurrence_id", "series_id", "exception_type", "original_start_time"), KEEP),
        **dict.fromkeys(("original_end_time", "custom_start_time", "custom_end_time", "created_at"), KEEP),
        **dict.fromkeys(("original_title", "original_location", "custom_title", "custom_location"), TEXT),
    },
    "recurring_series": {
        **dict.fromkeys(("id", "org_id", "duration", "role_requirements", "pattern_type", "frequency_interval"), KEEP),
        **dict.fromkeys(("selected_days", "weekday_position", "weekday_name", "start_date", "end_condition_type"), KEEP),
        **dict.fromkeys(("end_date", "occurrence_count", "active", "created_at", "updated_at"), KEEP),
        "created_by": PERSON,
        "title": TEXT,
        "location": TEXT,
    },
    "resources": {
        **dict.fromkeys(("id", "org_id", "type", "capacity", "created_at", "updated_at"), KEEP),
        "location": TEXT,
        "extra_data": JSON,
    },
    "sms_messages": EMPTY,
    "sms_preferences": {
        **dict.fromkeys(("verified", "notification_types", "opt_in_date", "opt_out_date", "language", "timezone"), KEEP),
        **dict.fromkeys(("created_at", "updated_at"), KEEP),
        "person_id": PERSON,
        "phone_number": PHONE,
    },
    "sms_replies": EMPTY,
    "sms_templates": {
        **dict.fromkeys(("id", "organization_id", "message_type", "character_count", "is_system", "usage_count"), KEEP),
        **dict.fromkeys(("created_at", "updated_at"), KEEP),
        "name": TEXT,
        "template_text": TEXT,
        "translations": JSON,
        "created_by": PERSON,
    },
    "sms_usage": dict.fromkeys(
        (
            *("organization_id", "month_year", "assignment_count", "reminder_count", "broadcast_count", "system_count"),
            *("total_cost_cents", "budget_limit_cents", "alert_threshold_percent", "alert_sent_at_80", "alert_sent_at_100"),
            *("auto_pause_enabled", "created_at", "updated_at"),
        ),
        KEEP,
    ),
    "sms_verification_codes": EMPTY,
    "solutions": {
        **dict.fromkeys(("id", "org_id", "solve_ms", "hard_violations", "soft_score", "health_score", "created_at"), KEEP),
        **dict.fromkeys(("is_published", "published_at"), KEEP),
        # Counts by person, under their ids.
        "metrics": JSON,
    },
    "subscription_events": {
        **dict.fromkeys(("id", "org_id", "event_type", "previous_plan", "new_plan", "event_timestamp"), KEEP),
        "admin_id": PERSON,
        "reason": TEXT,
        "notes": TEXT,
        "extra_metadata": JSON,
    },
    "subscriptions": {
        **dict.fromkeys(("id", "org_id", "plan_tier", "billing_cycle", "status", "trial_end_date", "pending_downgrade"), KEEP),
        **dict.fromkeys(("current_period_start", "current_period_end", "cancel_at_period_end", "created_at", "updated_at"), KEEP),
        "stripe_customer_id": TOKEN,
        "stripe_subscription_id": TOKEN,
    },
    "team_members": {
        **dict.fromkeys(("id", "team_id", "joined_at"), KEEP),
        "person_id": PERSON,
    },
    "teams": {
        **dict.fromkeys(("id", "org_id", "is_sample", "created_at", "updated_at"), KEEP),
        "name": TEXT,
        "description": TEXT,
        "extra_data": JSON,
    },
    "usage_metrics": dict.fromkeys(
        ("id", "org_id", "metric_type", "current_value", "plan_limit", "percentage_used", "last_updated"), KEEP
    ),
    "vacation_periods": {
        **dict.fromkeys(("id", "availability_id", "start_date", "end_date"), KEEP),
        "reason": TEXT,
    },
}


def _formed() -> None:
    """In the place of `keep`, for each column that can hold text: the form that it must have to be kept."""
    for table in Base.metadata.tables.values():
        rules = RULES[table.name]
        if isinstance(rules, str):
            continue
        for column in table.columns:
            if rules[column.name] != KEEP:
                continue
            if isinstance(column.type, JSONText | JSONType):
                rules[column.name] = WORDS
            elif isinstance(column.type, String):
                rules[column.name] = ID if column.name == "id" or column.name.endswith("_id") else WORD


_formed()

if __name__ == "__main__":
    print(json.dumps(RULES, indent=2, sort_keys=True))
