"""All mapped tables. Importing this package registers every table on `Base.metadata`."""

from app.models.accounts import (
    AuditLog,
    Invitation,
    OnboardingProgress,
    Organization,
    PasswordResetToken,
    Person,
)
from app.models.availability import Availability, AvailabilityException, VacationPeriod
from app.models.base import Base
from app.models.billing import BillingHistory, PaymentMethod, Subscription, SubscriptionEvent, UsageMetric
from app.models.notifications import DeliveryLog, EmailPreferences, Notification
from app.models.scheduling import (
    Assignment,
    Constraint,
    Event,
    EventTeam,
    Holiday,
    RecurrenceException,
    RecurringSeries,
    Resource,
    Solution,
    Team,
    TeamMember,
)
from app.models.sms import SmsMessage, SmsPreferences, SmsReply, SmsTemplate, SmsUsage, SmsVerificationCode

__all__ = [
    "Assignment",
    "AuditLog",
    "Availability",
    "AvailabilityException",
    "Base",
    "BillingHistory",
    "Constraint",
    "DeliveryLog",
    "EmailPreferences",
    "Event",
    "EventTeam",
    "Holiday",
    "Invitation",
    "Notification",
    "OnboardingProgress",
    "Organization",
    "PasswordResetToken",
    "PaymentMethod",
    "Person",
    "RecurrenceException",
    "RecurringSeries",
    "Resource",
    "SmsMessage",
    "SmsPreferences",
    "SmsReply",
    "SmsTemplate",
    "SmsUsage",
    "SmsVerificationCode",
    "Solution",
    "Subscription",
    "SubscriptionEvent",
    "Team",
    "TeamMember",
    "UsageMetric",
    "VacationPeriod",
]
