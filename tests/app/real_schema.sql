-- Schema (no data) of an existing SignUpFlow SQLite database at alembic head b4e6f8a2c5d3.
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE audit_logs (
	id VARCHAR NOT NULL,
	user_id VARCHAR,
	user_email VARCHAR,
	organization_id VARCHAR,
	action VARCHAR NOT NULL,
	resource_type VARCHAR,
	resource_id VARCHAR,
	details JSON,
	timestamp DATETIME DEFAULT (CURRENT_TIMESTAMP) NOT NULL,
	ip_address VARCHAR,
	user_agent VARCHAR,
	status VARCHAR NOT NULL,
	error_message VARCHAR,
	PRIMARY KEY (id)
);
CREATE TABLE organizations (
	id VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	region VARCHAR,
	config TEXT,
	created_at DATETIME,
	updated_at DATETIME,
	cancelled_at DATETIME,
	data_retention_until DATETIME,
	deletion_scheduled_at DATETIME,
	PRIMARY KEY (id)
);
CREATE TABLE constraints (
	id INTEGER NOT NULL,
	org_id VARCHAR NOT NULL,
	"key" VARCHAR NOT NULL,
	type VARCHAR NOT NULL,
	weight INTEGER,
	predicate VARCHAR NOT NULL,
	params TEXT,
	created_at DATETIME,
	updated_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id)
);
CREATE TABLE holidays (
	id INTEGER NOT NULL,
	org_id VARCHAR NOT NULL,
	date DATE NOT NULL,
	label VARCHAR NOT NULL,
	is_long_weekend BOOLEAN,
	created_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id)
);
CREATE TABLE payment_methods (
	id INTEGER NOT NULL,
	org_id VARCHAR NOT NULL,
	stripe_payment_method_id VARCHAR(255) NOT NULL,
	card_brand VARCHAR(20),
	card_last4 VARCHAR(4),
	exp_month INTEGER,
	exp_year INTEGER,
	billing_address TEXT,
	is_primary BOOLEAN NOT NULL,
	is_active BOOLEAN NOT NULL,
	added_at DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id) ON DELETE CASCADE,
	UNIQUE (stripe_payment_method_id)
);
CREATE TABLE people (
	id VARCHAR NOT NULL,
	org_id VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	email VARCHAR,
	password_hash VARCHAR,
	roles TEXT,
	timezone VARCHAR NOT NULL,
	language VARCHAR NOT NULL,
	status VARCHAR NOT NULL,
	invited_by VARCHAR,
	last_login DATETIME,
	calendar_token VARCHAR,
	is_sample BOOLEAN NOT NULL,
	extra_data TEXT,
	created_at DATETIME,
	updated_at DATETIME, password_changed_at DATETIME, refresh_token_version INTEGER DEFAULT '0' NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(invited_by) REFERENCES people (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id),
	UNIQUE (calendar_token)
);
CREATE TABLE resources (
	id VARCHAR NOT NULL,
	org_id VARCHAR NOT NULL,
	type VARCHAR NOT NULL,
	location VARCHAR NOT NULL,
	capacity INTEGER,
	extra_data TEXT,
	created_at DATETIME,
	updated_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id)
);
CREATE TABLE sms_usage (
	organization_id VARCHAR NOT NULL,
	month_year VARCHAR(7) NOT NULL,
	assignment_count INTEGER NOT NULL,
	reminder_count INTEGER NOT NULL,
	broadcast_count INTEGER NOT NULL,
	system_count INTEGER NOT NULL,
	total_cost_cents INTEGER NOT NULL,
	budget_limit_cents INTEGER NOT NULL,
	alert_threshold_percent INTEGER NOT NULL,
	alert_sent_at_80 BOOLEAN NOT NULL,
	alert_sent_at_100 BOOLEAN NOT NULL,
	auto_pause_enabled BOOLEAN NOT NULL,
	created_at DATETIME NOT NULL,
	updated_at DATETIME NOT NULL,
	PRIMARY KEY (organization_id, month_year),
	FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE
);
CREATE TABLE subscriptions (
	id INTEGER NOT NULL,
	org_id VARCHAR NOT NULL,
	stripe_customer_id VARCHAR(255),
	stripe_subscription_id VARCHAR(255),
	plan_tier VARCHAR(20) NOT NULL,
	billing_cycle VARCHAR(10),
	status VARCHAR(20) NOT NULL,
	trial_end_date DATETIME,
	current_period_start DATETIME,
	current_period_end DATETIME,
	cancel_at_period_end BOOLEAN NOT NULL,
	pending_downgrade TEXT,
	created_at DATETIME NOT NULL,
	updated_at DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id) ON DELETE CASCADE,
	UNIQUE (org_id),
	UNIQUE (stripe_customer_id),
	UNIQUE (stripe_subscription_id)
);
CREATE TABLE teams (
	id VARCHAR NOT NULL,
	org_id VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	description VARCHAR,
	is_sample BOOLEAN NOT NULL,
	extra_data TEXT,
	created_at DATETIME,
	updated_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id)
);
CREATE TABLE usage_metrics (
	id INTEGER NOT NULL,
	org_id VARCHAR NOT NULL,
	metric_type VARCHAR(50) NOT NULL,
	current_value INTEGER NOT NULL,
	plan_limit INTEGER,
	percentage_used FLOAT NOT NULL,
	last_updated DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id) ON DELETE CASCADE
);
CREATE TABLE availability (
	id INTEGER NOT NULL,
	person_id VARCHAR NOT NULL,
	rrule VARCHAR,
	extra_data TEXT,
	created_at DATETIME,
	updated_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(person_id) REFERENCES people (id)
);
CREATE TABLE billing_history (
	id INTEGER NOT NULL,
	org_id VARCHAR NOT NULL,
	subscription_id INTEGER,
	event_type VARCHAR(50) NOT NULL,
	amount_cents INTEGER NOT NULL,
	currency VARCHAR(3) NOT NULL,
	payment_status VARCHAR(20) NOT NULL,
	stripe_invoice_id VARCHAR(255),
	invoice_pdf_url VARCHAR(500),
	description TEXT,
	extra_metadata TEXT,
	event_timestamp DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id) ON DELETE CASCADE,
	FOREIGN KEY(subscription_id) REFERENCES subscriptions (id) ON DELETE CASCADE,
	UNIQUE (stripe_invoice_id)
);
CREATE TABLE email_preferences (
	id INTEGER NOT NULL,
	person_id VARCHAR NOT NULL,
	org_id VARCHAR NOT NULL,
	frequency VARCHAR NOT NULL,
	enabled_types TEXT NOT NULL,
	language VARCHAR NOT NULL,
	timezone VARCHAR NOT NULL,
	digest_hour INTEGER NOT NULL,
	unsubscribe_token VARCHAR NOT NULL,
	updated_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id),
	FOREIGN KEY(person_id) REFERENCES people (id),
	UNIQUE (person_id),
	UNIQUE (unsubscribe_token)
);
CREATE TABLE invitations (
	id VARCHAR NOT NULL,
	org_id VARCHAR NOT NULL,
	email VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	roles TEXT NOT NULL,
	invited_by VARCHAR NOT NULL,
	token VARCHAR NOT NULL,
	status VARCHAR NOT NULL,
	expires_at DATETIME NOT NULL,
	created_at DATETIME,
	accepted_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(invited_by) REFERENCES people (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id),
	UNIQUE (token)
);
CREATE TABLE onboarding_progress (
	id INTEGER NOT NULL,
	person_id VARCHAR NOT NULL,
	org_id VARCHAR NOT NULL,
	wizard_step_completed INTEGER,
	wizard_data TEXT,
	checklist_state TEXT,
	tutorials_completed TEXT,
	features_unlocked TEXT,
	videos_watched TEXT,
	onboarding_skipped BOOLEAN,
	checklist_dismissed BOOLEAN,
	tutorials_dismissed BOOLEAN,
	created_at DATETIME,
	updated_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id),
	FOREIGN KEY(person_id) REFERENCES people (id),
	UNIQUE (person_id)
);
CREATE TABLE recurring_series (
	id VARCHAR NOT NULL,
	org_id VARCHAR NOT NULL,
	created_by VARCHAR NOT NULL,
	title VARCHAR NOT NULL,
	duration INTEGER NOT NULL,
	location VARCHAR,
	role_requirements TEXT,
	pattern_type VARCHAR NOT NULL,
	frequency_interval INTEGER,
	selected_days TEXT,
	weekday_position VARCHAR,
	weekday_name VARCHAR,
	start_date DATE NOT NULL,
	end_condition_type VARCHAR NOT NULL,
	end_date DATE,
	occurrence_count INTEGER,
	active BOOLEAN NOT NULL,
	created_at DATETIME,
	updated_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(created_by) REFERENCES people (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id)
);
CREATE TABLE sms_preferences (
	person_id VARCHAR NOT NULL,
	phone_number VARCHAR(20) NOT NULL,
	verified BOOLEAN NOT NULL,
	notification_types TEXT NOT NULL,
	opt_in_date DATETIME,
	opt_out_date DATETIME,
	language VARCHAR(5) NOT NULL,
	timezone VARCHAR(50) NOT NULL,
	created_at DATETIME NOT NULL,
	updated_at DATETIME NOT NULL,
	PRIMARY KEY (person_id),
	FOREIGN KEY(person_id) REFERENCES people (id) ON DELETE CASCADE
);
CREATE TABLE sms_templates (
	id INTEGER NOT NULL,
	organization_id VARCHAR NOT NULL,
	name VARCHAR(100) NOT NULL,
	template_text TEXT NOT NULL,
	message_type VARCHAR(20) NOT NULL,
	character_count INTEGER NOT NULL,
	translations TEXT NOT NULL,
	is_system BOOLEAN NOT NULL,
	usage_count INTEGER NOT NULL,
	created_by VARCHAR NOT NULL,
	created_at DATETIME NOT NULL,
	updated_at DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(created_by) REFERENCES people (id) ON DELETE CASCADE,
	FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE
);
CREATE TABLE sms_verification_codes (
	person_id VARCHAR NOT NULL,
	phone_number VARCHAR(20) NOT NULL,
	verification_code INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	expires_at DATETIME NOT NULL,
	created_at DATETIME NOT NULL,
	PRIMARY KEY (person_id),
	FOREIGN KEY(person_id) REFERENCES people (id) ON DELETE CASCADE
);
CREATE TABLE subscription_events (
	id INTEGER NOT NULL,
	org_id VARCHAR NOT NULL,
	event_type VARCHAR(50) NOT NULL,
	previous_plan VARCHAR(20),
	new_plan VARCHAR(20) NOT NULL,
	admin_id VARCHAR,
	reason TEXT,
	notes TEXT,
	extra_metadata TEXT,
	event_timestamp DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(admin_id) REFERENCES people (id) ON DELETE SET NULL,
	FOREIGN KEY(org_id) REFERENCES organizations (id) ON DELETE CASCADE
);
CREATE TABLE team_members (
	id INTEGER NOT NULL,
	team_id VARCHAR NOT NULL,
	person_id VARCHAR NOT NULL,
	joined_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(person_id) REFERENCES people (id),
	FOREIGN KEY(team_id) REFERENCES teams (id)
);
CREATE TABLE availability_exceptions (
	id INTEGER NOT NULL,
	availability_id INTEGER NOT NULL,
	exception_date DATE NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(availability_id) REFERENCES availability (id)
);
CREATE TABLE events (
	id VARCHAR NOT NULL,
	org_id VARCHAR NOT NULL,
	type VARCHAR NOT NULL,
	start_time DATETIME NOT NULL,
	end_time DATETIME NOT NULL,
	resource_id VARCHAR,
	is_sample BOOLEAN NOT NULL,
	extra_data TEXT,
	series_id VARCHAR,
	occurrence_sequence INTEGER,
	is_exception BOOLEAN NOT NULL,
	created_at DATETIME,
	updated_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id),
	FOREIGN KEY(resource_id) REFERENCES resources (id),
	FOREIGN KEY(series_id) REFERENCES recurring_series (id)
);
CREATE TABLE vacation_periods (
	id INTEGER NOT NULL,
	availability_id INTEGER NOT NULL,
	start_date DATE NOT NULL,
	end_date DATE NOT NULL,
	reason VARCHAR,
	PRIMARY KEY (id),
	FOREIGN KEY(availability_id) REFERENCES availability (id)
);
CREATE TABLE assignments (
	id INTEGER NOT NULL,
	solution_id INTEGER,
	event_id VARCHAR NOT NULL,
	person_id VARCHAR NOT NULL,
	role VARCHAR,
	assigned_at DATETIME, status VARCHAR DEFAULT 'confirmed' NOT NULL, decline_reason VARCHAR,
	PRIMARY KEY (id),
	FOREIGN KEY(event_id) REFERENCES events (id),
	FOREIGN KEY(person_id) REFERENCES people (id),
	FOREIGN KEY(solution_id) REFERENCES solutions (id)
);
CREATE TABLE event_teams (
	id INTEGER NOT NULL,
	event_id VARCHAR NOT NULL,
	team_id VARCHAR NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(event_id) REFERENCES events (id),
	FOREIGN KEY(team_id) REFERENCES teams (id)
);
CREATE TABLE notifications (
	id INTEGER NOT NULL,
	org_id VARCHAR NOT NULL,
	recipient_id VARCHAR NOT NULL,
	type VARCHAR NOT NULL,
	status VARCHAR NOT NULL,
	event_id VARCHAR,
	template_data TEXT,
	retry_count INTEGER NOT NULL,
	sendgrid_message_id VARCHAR,
	error_message TEXT,
	created_at DATETIME,
	sent_at DATETIME,
	delivered_at DATETIME,
	opened_at DATETIME,
	clicked_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(event_id) REFERENCES events (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id),
	FOREIGN KEY(recipient_id) REFERENCES people (id),
	UNIQUE (sendgrid_message_id)
);
CREATE TABLE recurrence_exceptions (
	id VARCHAR NOT NULL,
	occurrence_id VARCHAR NOT NULL,
	series_id VARCHAR NOT NULL,
	exception_type VARCHAR NOT NULL,
	original_title VARCHAR,
	original_start_time DATETIME,
	original_end_time DATETIME,
	original_location VARCHAR,
	custom_title VARCHAR,
	custom_start_time DATETIME,
	custom_end_time DATETIME,
	custom_location VARCHAR,
	created_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(occurrence_id) REFERENCES events (id),
	FOREIGN KEY(series_id) REFERENCES recurring_series (id),
	UNIQUE (occurrence_id)
);
CREATE TABLE sms_messages (
	id INTEGER NOT NULL,
	organization_id VARCHAR NOT NULL,
	recipient_id VARCHAR NOT NULL,
	phone_number VARCHAR(20) NOT NULL,
	message_text TEXT NOT NULL,
	message_type VARCHAR(20) NOT NULL,
	event_id VARCHAR,
	template_id INTEGER,
	status VARCHAR(20) NOT NULL,
	twilio_message_sid VARCHAR(34),
	cost_cents INTEGER NOT NULL,
	error_message TEXT,
	is_urgent BOOLEAN NOT NULL,
	sent_at DATETIME,
	delivered_at DATETIME,
	failed_at DATETIME,
	created_at DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE SET NULL,
	FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE,
	FOREIGN KEY(recipient_id) REFERENCES people (id) ON DELETE CASCADE,
	FOREIGN KEY(template_id) REFERENCES sms_templates (id) ON DELETE SET NULL,
	UNIQUE (twilio_message_sid)
);
CREATE TABLE delivery_logs (
	id INTEGER NOT NULL,
	notification_id INTEGER NOT NULL,
	event_type VARCHAR NOT NULL,
	sendgrid_message_id VARCHAR NOT NULL,
	timestamp DATETIME NOT NULL,
	reason TEXT,
	raw_event TEXT,
	created_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(notification_id) REFERENCES notifications (id)
);
CREATE TABLE sms_replies (
	id INTEGER NOT NULL,
	person_id VARCHAR NOT NULL,
	phone_number VARCHAR(20) NOT NULL,
	message_text TEXT NOT NULL,
	reply_type VARCHAR(20) NOT NULL,
	original_message_id INTEGER,
	event_id VARCHAR,
	action_taken VARCHAR(50) NOT NULL,
	twilio_message_sid VARCHAR(34),
	processed_at DATETIME,
	created_at DATETIME NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE SET NULL,
	FOREIGN KEY(original_message_id) REFERENCES sms_messages (id) ON DELETE SET NULL,
	FOREIGN KEY(person_id) REFERENCES people (id) ON DELETE CASCADE,
	UNIQUE (twilio_message_sid)
);
CREATE TABLE "solutions" (
	id INTEGER NOT NULL,
	org_id VARCHAR NOT NULL,
	solve_ms FLOAT,
	hard_violations INTEGER NOT NULL,
	soft_score FLOAT NOT NULL,
	health_score FLOAT NOT NULL,
	metrics TEXT,
	created_at DATETIME,
	is_published BOOLEAN DEFAULT 0 NOT NULL,
	published_at DATETIME,
	PRIMARY KEY (id),
	FOREIGN KEY(org_id) REFERENCES organizations (id)
);
CREATE TABLE password_reset_tokens (
	token_hash VARCHAR NOT NULL,
	person_id VARCHAR NOT NULL,
	expires_at DATETIME NOT NULL,
	created_at DATETIME NOT NULL,
	used_at DATETIME,
	PRIMARY KEY (token_hash),
	FOREIGN KEY(person_id) REFERENCES people (id) ON DELETE CASCADE
);
CREATE INDEX idx_assignments_event_id ON assignments (event_id);
CREATE INDEX idx_assignments_person_id ON assignments (person_id);
CREATE INDEX idx_assignments_solution_id ON assignments (solution_id);
CREATE INDEX idx_audit_action_timestamp ON audit_logs (action, timestamp);
CREATE INDEX idx_audit_org_timestamp ON audit_logs (organization_id, timestamp);
CREATE INDEX idx_audit_user_timestamp ON audit_logs (user_id, timestamp);
CREATE INDEX idx_availability_exceptions_availability_id ON availability_exceptions (availability_id);
CREATE INDEX idx_availability_exceptions_date ON availability_exceptions (exception_date);
CREATE INDEX idx_availability_person_id ON availability (person_id);
CREATE INDEX idx_billing_history_org_timestamp ON billing_history (org_id, event_timestamp);
CREATE INDEX idx_billing_history_stripe_invoice ON billing_history (stripe_invoice_id);
CREATE INDEX idx_constraints_key ON constraints ("key");
CREATE INDEX idx_constraints_org_id ON constraints (org_id);
CREATE INDEX idx_delivery_logs_notification_id ON delivery_logs (notification_id);
CREATE INDEX idx_delivery_logs_sendgrid_message_id ON delivery_logs (sendgrid_message_id);
CREATE INDEX idx_delivery_logs_timestamp ON delivery_logs (timestamp);
CREATE INDEX idx_email_preferences_org_id ON email_preferences (org_id);
CREATE INDEX idx_email_preferences_person_id ON email_preferences (person_id);
CREATE INDEX idx_event_teams_event_id ON event_teams (event_id);
CREATE INDEX idx_event_teams_team_id ON event_teams (team_id);
CREATE INDEX idx_events_org_id ON events (org_id);
CREATE INDEX idx_events_series_id ON events (series_id);
CREATE INDEX idx_events_start_time ON events (start_time);
CREATE INDEX idx_holidays_date ON holidays (date);
CREATE INDEX idx_holidays_org_id ON holidays (org_id);
CREATE INDEX idx_invitations_email ON invitations (email);
CREATE INDEX idx_invitations_org_id ON invitations (org_id);
CREATE INDEX idx_invitations_status ON invitations (status);
CREATE INDEX idx_invitations_token ON invitations (token);
CREATE INDEX idx_notifications_created_at ON notifications (created_at);
CREATE INDEX idx_notifications_event_id ON notifications (event_id);
CREATE INDEX idx_notifications_org_id ON notifications (org_id);
CREATE INDEX idx_notifications_recipient_id ON notifications (recipient_id);
CREATE INDEX idx_notifications_status ON notifications (status);
CREATE INDEX idx_onboarding_progress_org_id ON onboarding_progress (org_id);
CREATE INDEX idx_onboarding_progress_person_id ON onboarding_progress (person_id);
CREATE INDEX idx_password_reset_tokens_expires_at ON password_reset_tokens (expires_at);
CREATE INDEX idx_password_reset_tokens_person_id ON password_reset_tokens (person_id);
CREATE INDEX idx_payment_methods_org_id ON payment_methods (org_id);
CREATE INDEX idx_payment_methods_stripe_pm ON payment_methods (stripe_payment_method_id);
CREATE INDEX idx_people_calendar_token ON people (calendar_token);
CREATE INDEX idx_people_email ON people (email);
CREATE INDEX idx_people_org_id ON people (org_id);
CREATE INDEX idx_people_status ON people (status);
CREATE INDEX idx_recurrence_exceptions_occurrence_id ON recurrence_exceptions (occurrence_id);
CREATE INDEX idx_recurrence_exceptions_series_id ON recurrence_exceptions (series_id);
CREATE INDEX idx_recurring_series_active ON recurring_series (active);
CREATE INDEX idx_recurring_series_created_by ON recurring_series (created_by);
CREATE INDEX idx_recurring_series_org_id ON recurring_series (org_id);
CREATE INDEX idx_recurring_series_start_date ON recurring_series (start_date);
CREATE INDEX idx_resources_org_id ON resources (org_id);
CREATE INDEX idx_sms_messages_org_created ON sms_messages (organization_id, created_at);
CREATE INDEX idx_sms_messages_recipient_created ON sms_messages (recipient_id, created_at);
CREATE INDEX idx_sms_messages_status_created ON sms_messages (status, created_at);
CREATE INDEX idx_sms_messages_twilio_sid ON sms_messages (twilio_message_sid);
CREATE INDEX idx_sms_messages_type_created ON sms_messages (message_type, created_at);
CREATE INDEX idx_sms_preferences_verified ON sms_preferences (verified, opt_out_date);
CREATE INDEX idx_sms_replies_person_created ON sms_replies (person_id, created_at);
CREATE INDEX idx_sms_replies_twilio_sid ON sms_replies (twilio_message_sid);
CREATE INDEX idx_sms_replies_type_created ON sms_replies (reply_type, created_at);
CREATE INDEX idx_sms_templates_org_type ON sms_templates (organization_id, message_type);
CREATE INDEX idx_sms_templates_system ON sms_templates (is_system);
CREATE INDEX idx_sms_usage_month ON sms_usage (month_year);
CREATE INDEX idx_sms_verification_expires ON sms_verification_codes (expires_at);
CREATE INDEX idx_solutions_created_at ON solutions (created_at);
CREATE INDEX idx_solutions_org_id ON solutions (org_id);
CREATE INDEX idx_solutions_org_published ON solutions (org_id, is_published);
CREATE INDEX idx_subscription_events_org_timestamp ON subscription_events (org_id, event_timestamp);
CREATE INDEX idx_subscription_events_type ON subscription_events (event_type);
CREATE INDEX idx_subscriptions_org_id ON subscriptions (org_id);
CREATE INDEX idx_subscriptions_org_status ON subscriptions (org_id, status);
CREATE INDEX idx_subscriptions_status ON subscriptions (status);
CREATE INDEX idx_subscriptions_stripe_customer ON subscriptions (stripe_customer_id);
CREATE INDEX idx_team_members_person_id ON team_members (person_id);
CREATE INDEX idx_team_members_team_id ON team_members (team_id);
CREATE INDEX idx_teams_org_id ON teams (org_id);
CREATE INDEX idx_usage_metrics_org_metric ON usage_metrics (org_id, metric_type);
CREATE INDEX idx_vacation_periods_availability_id ON vacation_periods (availability_id);
CREATE INDEX idx_vacation_periods_dates ON vacation_periods (start_date, end_date);
CREATE INDEX ix_audit_logs_action ON audit_logs (action);
CREATE INDEX ix_audit_logs_organization_id ON audit_logs (organization_id);
CREATE INDEX ix_audit_logs_timestamp ON audit_logs (timestamp);
CREATE INDEX ix_audit_logs_user_id ON audit_logs (user_id);
