-- The tables after the migration 0021; python tools/sqlite_tables.py writes this file.
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE idempotency_answers (
	key_id VARCHAR(40) NOT NULL, 
	idempotency_key VARCHAR(255) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	status INTEGER, 
	media_type TEXT, 
	sealed_body BLOB, 
	CONSTRAINT pk_idempotency_answers PRIMARY KEY (key_id, idempotency_key)
);
CREATE INDEX ix_idempotency_answers_created_at ON idempotency_answers (created_at);
CREATE TABLE inbox (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(128) NOT NULL, 
	event VARCHAR(64) NOT NULL, 
	livekit_room TEXT NOT NULL, 
	received_at BIGINT NOT NULL, 
	key_id TEXT NOT NULL, 
	scheme VARCHAR(8) NOT NULL, 
	body BLOB NOT NULL, 
	state VARCHAR(12) DEFAULT 'pending' NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	applied_at BIGINT, 
	error TEXT, trace VARCHAR(64), 
	CONSTRAINT uq_inbox_id UNIQUE (id)
);
CREATE INDEX ix_inbox_livekit_room ON inbox (livekit_room, seq);
CREATE INDEX ix_inbox_state ON inbox (state, seq);
CREATE TABLE organisations (
	id VARCHAR(40) NOT NULL, 
	name TEXT NOT NULL, 
	slug VARCHAR(63) NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_organisations PRIMARY KEY (id), 
	CONSTRAINT uq_organisations_slug UNIQUE (slug)
);
CREATE TABLE reserved_slugs (
	slug VARCHAR(32) NOT NULL, 
	organisation_id VARCHAR(40) NOT NULL, 
	until BIGINT NOT NULL, 
	CONSTRAINT pk_reserved_slugs PRIMARY KEY (slug)
);
CREATE TABLE apps (
	id VARCHAR(40) NOT NULL, 
	organisation_id VARCHAR(40) NOT NULL, 
	slug VARCHAR(32) NOT NULL, 
	name TEXT NOT NULL, 
	settings TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT fk_apps_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id), 
	CONSTRAINT pk_apps PRIMARY KEY (id), 
	CONSTRAINT uq_apps_slug UNIQUE (slug)
);
CREATE INDEX ix_apps_organisation_id ON apps (organisation_id, slug);
CREATE TABLE api_keys (
	id VARCHAR(40) NOT NULL, 
	name TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	hint VARCHAR(8) NOT NULL, 
	scopes TEXT NOT NULL, 
	organisation_id VARCHAR(40), 
	app_id VARCHAR(40), 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT, 
	last_used_at BIGINT, 
	CONSTRAINT fk_api_keys_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT fk_api_keys_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE, 
	CONSTRAINT pk_api_keys PRIMARY KEY (id), 
	CONSTRAINT uq_api_keys_digest UNIQUE (digest)
);
CREATE INDEX ix_api_keys_app_id ON api_keys (app_id);
CREATE INDEX ix_api_keys_organisation_id ON api_keys (organisation_id, id);
CREATE TABLE bans (
	id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	livekit_room TEXT NOT NULL, 
	identity TEXT NOT NULL, 
	until BIGINT NOT NULL, 
	CONSTRAINT fk_bans_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_bans PRIMARY KEY (id), 
	CONSTRAINT uq_bans_livekit_room_identity UNIQUE (livekit_room, identity)
);
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	app_id VARCHAR(40) NOT NULL, 
	session_id VARCHAR(40), 
	livekit_room TEXT NOT NULL, 
	type VARCHAR(40) NOT NULL, 
	origin VARCHAR(10) NOT NULL, 
	subject TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	at BIGINT NOT NULL, trace VARCHAR(64), 
	CONSTRAINT fk_events_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE
);
CREATE INDEX ix_events_app_id ON events (app_id, seq);
CREATE INDEX ix_events_session_id ON events (session_id, seq);
CREATE TABLE rooms (
	id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	name TEXT NOT NULL, 
	livekit_room TEXT NOT NULL, 
	metadata TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	deleted_at BIGINT, 
	CONSTRAINT fk_rooms_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_rooms PRIMARY KEY (id), 
	CONSTRAINT uq_rooms_livekit_room UNIQUE (livekit_room)
);
CREATE INDEX ix_rooms_app_id ON rooms (app_id, id);
CREATE TABLE participants (
	session_id VARCHAR(40) NOT NULL, 
	sid VARCHAR(64) NOT NULL, 
	identity TEXT NOT NULL, 
	name TEXT NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	changed_at BIGINT NOT NULL, 
	joined_at BIGINT, 
	joined_at_source VARCHAR(12), 
	left_at BIGINT, 
	left_at_source VARCHAR(12), 
	reason VARCHAR(64), 
	CONSTRAINT fk_participants_session_id FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE, 
	CONSTRAINT pk_participants PRIMARY KEY (session_id, sid)
);
CREATE INDEX ix_participants_sid ON participants (sid);
CREATE TABLE tracks (
	session_id VARCHAR(40) NOT NULL, 
	participant_sid VARCHAR(64) NOT NULL, 
	sid VARCHAR(64) NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	source VARCHAR(64) NOT NULL, 
	mime_type VARCHAR(64) NOT NULL, 
	published_at BIGINT NOT NULL, 
	published_at_source VARCHAR(12) NOT NULL, 
	changed_at BIGINT NOT NULL, 
	unpublished_at BIGINT, 
	unpublished_at_source VARCHAR(12), 
	CONSTRAINT fk_tracks_session_id FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE, 
	CONSTRAINT pk_tracks PRIMARY KEY (session_id, participant_sid, sid)
);
CREATE TABLE jobs (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(40) NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	payload TEXT NOT NULL, 
	unique_key VARCHAR(255), 
	lane VARCHAR(255), 
	group_key VARCHAR(255), 
	run_at BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	again BOOLEAN NOT NULL, 
	owner VARCHAR(64), 
	lease_until BIGINT, 
	trace VARCHAR(64), 
	error TEXT, 
	created_at BIGINT NOT NULL, 
	started_at BIGINT, 
	finished_at BIGINT, 
	CONSTRAINT uq_jobs_id UNIQUE (id)
);
CREATE INDEX ix_jobs_finished_at ON jobs (finished_at);
CREATE INDEX ix_jobs_given_up ON jobs (kind, unique_key) WHERE state IN ('failed', 'dead');
CREATE INDEX ix_jobs_lane ON jobs (lane, seq) WHERE state IN ('queued', 'running');
CREATE INDEX ix_jobs_lease_until ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX ix_jobs_ready ON jobs (kind, run_at, seq) WHERE state = 'queued';
CREATE INDEX ix_jobs_ready_of_group ON jobs (kind, group_key, run_at, seq) WHERE state = 'queued';
CREATE INDEX ix_jobs_running_lane ON jobs (lane) WHERE state = 'running';
CREATE UNIQUE INDEX uq_jobs_unfinished_key ON jobs (kind, unique_key) WHERE state IN ('queued', 'running');
CREATE TABLE "sessions" (
	id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	room TEXT NOT NULL, 
	livekit_room TEXT NOT NULL, 
	room_sid VARCHAR(64), 
	state VARCHAR(10) NOT NULL, 
	started_at BIGINT NOT NULL, 
	started_at_source VARCHAR(12) NOT NULL, 
	last_seen_at BIGINT NOT NULL, 
	changed_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	ended_at_source VARCHAR(12), 
	disposition VARCHAR(20), 
	active_participants INTEGER NOT NULL, 
	peak_participants INTEGER NOT NULL, 
	CONSTRAINT fk_sessions_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_sessions PRIMARY KEY (id), 
	CONSTRAINT uq_sessions_room_sid UNIQUE (room_sid)
);
CREATE INDEX ix_sessions_app_id ON sessions (app_id, id);
CREATE INDEX ix_sessions_livekit_room ON sessions (livekit_room, id);
CREATE INDEX ix_sessions_state ON sessions (state, app_id);
CREATE TABLE session_plans (
	session_id VARCHAR(40) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	metadata TEXT NOT NULL, 
	agents TEXT NOT NULL, 
	max_duration INTEGER, 
	empty_timeout INTEGER, 
	departure_timeout INTEGER, 
	max_participants INTEGER, 
	created_at BIGINT NOT NULL, 
	wait_until BIGINT NOT NULL, 
	cleaned_at BIGINT, 
	transcript VARCHAR(16), 
	CONSTRAINT fk_session_plans_session_id FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE, 
	CONSTRAINT pk_session_plans PRIMARY KEY (session_id)
);
CREATE TABLE usage_told (
	session_id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	disposition VARCHAR(20) NOT NULL, 
	duration_ms BIGINT NOT NULL, 
	participant BIGINT NOT NULL, 
	audio_track BIGINT NOT NULL, 
	video_track BIGINT NOT NULL, 
	ingress BIGINT NOT NULL, 
	egress BIGINT NOT NULL, 
	recording BIGINT NOT NULL, camera BIGINT DEFAULT '0' NOT NULL, viewer BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT fk_usage_told_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_usage_told PRIMARY KEY (session_id)
);
CREATE INDEX ix_usage_told_app_id ON usage_told (app_id);
CREATE TABLE usage_session_hours (
	session_id VARCHAR(40) NOT NULL, 
	hour BIGINT NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	participant BIGINT NOT NULL, 
	audio_track BIGINT NOT NULL, 
	video_track BIGINT NOT NULL, 
	ingress BIGINT NOT NULL, 
	egress BIGINT NOT NULL, 
	recording BIGINT NOT NULL, camera BIGINT DEFAULT '0' NOT NULL, viewer BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT fk_usage_session_hours_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_usage_session_hours PRIMARY KEY (session_id, hour)
);
CREATE INDEX ix_usage_session_hours_app_id ON usage_session_hours (app_id, hour);
CREATE TABLE usage_app_hours (
	app_id VARCHAR(40) NOT NULL, 
	hour BIGINT NOT NULL, 
	participant BIGINT NOT NULL, 
	audio_track BIGINT NOT NULL, 
	video_track BIGINT NOT NULL, 
	ingress BIGINT NOT NULL, 
	egress BIGINT NOT NULL, 
	recording BIGINT NOT NULL, camera BIGINT DEFAULT '0' NOT NULL, viewer BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT fk_usage_app_hours_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_usage_app_hours PRIMARY KEY (app_id, hour)
);
CREATE TABLE usage_egresses (
	egress_id VARCHAR(128) NOT NULL, 
	session_id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT NOT NULL, 
	recording BOOLEAN NOT NULL, 
	CONSTRAINT fk_usage_egresses_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_usage_egresses PRIMARY KEY (egress_id)
);
CREATE INDEX ix_usage_egresses_session_id ON usage_egresses (session_id);
CREATE TABLE webhook_endpoints (
	id VARCHAR(40) NOT NULL, 
	organisation_id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40), 
	url TEXT NOT NULL, 
	description TEXT NOT NULL, 
	types TEXT NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	ordered BOOLEAN NOT NULL, 
	from_seq BIGINT NOT NULL, 
	sealed_secret BLOB NOT NULL, 
	sealed_old_secret BLOB, 
	old_secret_until BIGINT, 
	failing_since BIGINT, 
	disabled_reason TEXT, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT fk_webhook_endpoints_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT fk_webhook_endpoints_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE, 
	CONSTRAINT pk_webhook_endpoints PRIMARY KEY (id)
);
CREATE INDEX ix_webhook_endpoints_app_id ON webhook_endpoints (app_id);
CREATE INDEX ix_webhook_endpoints_organisation_id ON webhook_endpoints (organisation_id, id);
CREATE TABLE webhook_attempts (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	delivery_id VARCHAR(40) NOT NULL, 
	number INTEGER NOT NULL, 
	answered TEXT NOT NULL, 
	CONSTRAINT fk_webhook_attempts_delivery_id FOREIGN KEY(delivery_id) REFERENCES webhook_deliveries (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_attempts_delivery_id ON webhook_attempts (delivery_id, seq);
CREATE TABLE webhook_cursors (
	app_id VARCHAR(40) NOT NULL, 
	seq BIGINT NOT NULL, 
	CONSTRAINT fk_webhook_cursors_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_webhook_cursors PRIMARY KEY (app_id)
);
CREATE TABLE transcripts (
	session_id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	chat BOOLEAN NOT NULL, 
	requested_at BIGINT NOT NULL, 
	joined_at BIGINT, 
	ended_at BIGINT, 
	archived_at BIGINT, 
	interruptions INTEGER NOT NULL, 
	truncated BOOLEAN NOT NULL, 
	CONSTRAINT fk_transcripts_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT fk_transcripts_session_id FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE, 
	CONSTRAINT pk_transcripts PRIMARY KEY (session_id)
);
CREATE INDEX ix_transcripts_app_id ON transcripts (app_id, ended_at);
CREATE TABLE transcript_segments (
	seq INTEGER NOT NULL, 
	session_id VARCHAR(40) NOT NULL, 
	kind VARCHAR(6) NOT NULL, 
	speaker TEXT NOT NULL, 
	segment_id VARCHAR(128) NOT NULL, 
	name TEXT NOT NULL, 
	track_sid VARCHAR(64), 
	language VARCHAR(35), 
	text TEXT NOT NULL, 
	final BOOLEAN NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT NOT NULL, 
	CONSTRAINT fk_transcript_segments_session_id FOREIGN KEY(session_id) REFERENCES transcripts (session_id) ON DELETE CASCADE, 
	CONSTRAINT pk_transcript_segments PRIMARY KEY (seq), 
	CONSTRAINT uq_transcript_segments_segment UNIQUE (session_id, speaker, kind, segment_id)
);
CREATE TABLE audit (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at BIGINT NOT NULL, 
	actor VARCHAR(40) NOT NULL, 
	action VARCHAR(40) NOT NULL, 
	target TEXT NOT NULL, 
	organisation_id VARCHAR(40), 
	app_id VARCHAR(40), 
	detail TEXT NOT NULL
, credential VARCHAR(40));
CREATE INDEX ix_audit_organisation_id ON audit (organisation_id, seq);
CREATE TABLE cameras (
	id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	livekit_room TEXT NOT NULL, 
	identity TEXT NOT NULL, 
	name TEXT NOT NULL, 
	hint VARCHAR(8) NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	last_seen_at BIGINT, 
	digest VARCHAR(64) NOT NULL, 
	CONSTRAINT fk_cameras_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_cameras PRIMARY KEY (id), 
	CONSTRAINT uq_cameras_digest UNIQUE (digest)
);
CREATE INDEX ix_cameras_app_id ON cameras (app_id, id);
CREATE TABLE usage_batches (
	node VARCHAR(64) NOT NULL, 
	batch VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_usage_batches PRIMARY KEY (node)
);
CREATE TABLE webhook_bodies (
	event_seq BIGINT NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	body BLOB NOT NULL, 
	CONSTRAINT fk_webhook_bodies_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_webhook_bodies PRIMARY KEY (event_seq)
);
CREATE INDEX ix_webhook_bodies_app_id ON webhook_bodies (app_id);
CREATE TABLE "webhook_deliveries" (
	id VARCHAR(40) NOT NULL, 
	endpoint_id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	event_seq BIGINT NOT NULL, 
	message_id VARCHAR(40) NOT NULL, 
	type VARCHAR(40) NOT NULL, 
	session_id VARCHAR(40), 
	state VARCHAR(10) NOT NULL, 
	attempts INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	delivered_at BIGINT, 
	last_outcome VARCHAR(16), 
	last_status INTEGER, 
	CONSTRAINT fk_webhook_deliveries_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT fk_webhook_deliveries_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES webhook_endpoints (id) ON DELETE CASCADE, 
	CONSTRAINT fk_webhook_deliveries_event_seq FOREIGN KEY(event_seq) REFERENCES webhook_bodies (event_seq), 
	CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id), 
	CONSTRAINT uq_webhook_deliveries_endpoint_id_event_seq UNIQUE (endpoint_id, event_seq)
);
CREATE INDEX ix_webhook_deliveries_app_id ON webhook_deliveries (app_id);
CREATE INDEX ix_webhook_deliveries_created_at ON webhook_deliveries (created_at);
CREATE INDEX ix_webhook_deliveries_event_seq ON webhook_deliveries (event_seq);
CREATE INDEX ix_webhook_deliveries_pending ON webhook_deliveries (endpoint_id) WHERE state = 'pending';
CREATE TABLE webhook_backlogs (
	endpoint_id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	seq BIGINT NOT NULL, 
	since BIGINT NOT NULL, 
	CONSTRAINT fk_webhook_backlogs_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT fk_webhook_backlogs_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES webhook_endpoints (id) ON DELETE CASCADE, 
	CONSTRAINT pk_webhook_backlogs PRIMARY KEY (app_id, endpoint_id)
);
CREATE INDEX ix_webhook_backlogs_endpoint_id ON webhook_backlogs (endpoint_id);
CREATE TABLE ingresses (
	id VARCHAR(40) NOT NULL, 
	app_id VARCHAR(40) NOT NULL, 
	livekit_room TEXT NOT NULL, 
	input_type VARCHAR(10) NOT NULL, 
	identity TEXT NOT NULL, 
	name TEXT NOT NULL, 
	metadata TEXT NOT NULL, 
	transcoding VARCHAR(10) NOT NULL, 
	start VARCHAR(10) NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	engine VARCHAR(10) NOT NULL, 
	livekit_id TEXT, 
	url TEXT, 
	hint VARCHAR(8), 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	digest VARCHAR(64), 
	sealed_url BLOB, layers VARCHAR(10) DEFAULT 'single' NOT NULL, 
	CONSTRAINT fk_ingresses_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_ingresses PRIMARY KEY (id), 
	CONSTRAINT uq_ingresses_digest UNIQUE (digest), 
	CONSTRAINT uq_ingresses_livekit_id UNIQUE (livekit_id)
);
CREATE INDEX ix_ingresses_app_id ON ingresses (app_id, id);
CREATE INDEX ix_ingresses_livekit_room ON ingresses (livekit_room, identity);
CREATE TABLE ingress_states (
	ingress_id VARCHAR(40) NOT NULL, 
	status VARCHAR(12) NOT NULL, 
	error_code VARCHAR(40), 
	error_message TEXT, 
	started_at BIGINT, 
	participant_sid TEXT, 
	video TEXT, 
	audio TEXT, 
	restarts INTEGER NOT NULL, 
	last_frame_at BIGINT, 
	node VARCHAR(64), 
	publication VARCHAR(40), 
	lease_until BIGINT, finished_version BIGINT, finished_until BIGINT, 
	CONSTRAINT fk_ingress_states_ingress_id FOREIGN KEY(ingress_id) REFERENCES ingresses (id) ON DELETE CASCADE, 
	CONSTRAINT pk_ingress_states PRIMARY KEY (ingress_id)
);
CREATE INDEX ix_ingress_states_lease_until ON ingress_states (lease_until);
CREATE TABLE whip_sessions (
	digest VARCHAR(64) NOT NULL, 
	ingress_id VARCHAR(40) NOT NULL, 
	publication VARCHAR(40) NOT NULL, 
	participant_sid TEXT NOT NULL, 
	mid TEXT NOT NULL, 
	ice_ufrag TEXT NOT NULL, 
	etag TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT fk_whip_sessions_ingress_id FOREIGN KEY(ingress_id) REFERENCES ingresses (id) ON DELETE CASCADE, 
	CONSTRAINT pk_whip_sessions PRIMARY KEY (digest), 
	CONSTRAINT uq_whip_sessions_ingress_id UNIQUE (ingress_id)
);
CREATE TABLE users (
	id VARCHAR(40) NOT NULL, 
	email VARCHAR(254) NOT NULL, 
	name TEXT NOT NULL, 
	picture TEXT, 
	locale VARCHAR(35), 
	time_zone VARCHAR(64), 
	operator BOOLEAN NOT NULL, 
	disabled_at BIGINT, 
	password_hash TEXT, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT uq_users_email UNIQUE (email)
);
CREATE TABLE memberships (
	user_id VARCHAR(40) NOT NULL, 
	organisation_id VARCHAR(40) NOT NULL, 
	role VARCHAR(10) NOT NULL, 
	joined_at BIGINT NOT NULL, 
	CONSTRAINT fk_memberships_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE, 
	CONSTRAINT fk_memberships_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT pk_memberships PRIMARY KEY (user_id, organisation_id)
);
CREATE INDEX ix_memberships_organisation_id ON memberships (organisation_id, user_id);
CREATE TABLE sign_in_sessions (
	id VARCHAR(40) NOT NULL, 
	user_id VARCHAR(40) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	last_used_at BIGINT NOT NULL, 
	address TEXT NOT NULL, 
	user_agent TEXT NOT NULL, 
	CONSTRAINT fk_sign_in_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT pk_sign_in_sessions PRIMARY KEY (id), 
	CONSTRAINT uq_sign_in_sessions_digest UNIQUE (digest)
);
CREATE INDEX ix_sign_in_sessions_last_used_at ON sign_in_sessions (last_used_at);
CREATE INDEX ix_sign_in_sessions_user_id ON sign_in_sessions (user_id, id);
CREATE TABLE account_links (
	id VARCHAR(40) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	purpose VARCHAR(12) NOT NULL, 
	user_id VARCHAR(40), 
	organisation_id VARCHAR(40), 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	CONSTRAINT fk_account_links_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE, 
	CONSTRAINT fk_account_links_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT pk_account_links PRIMARY KEY (id), 
	CONSTRAINT uq_account_links_digest UNIQUE (digest)
);
CREATE INDEX ix_account_links_expires_at ON account_links (expires_at);
CREATE INDEX ix_account_links_user_id ON account_links (user_id);
CREATE TABLE access_tokens (
	id VARCHAR(40) NOT NULL, 
	user_id VARCHAR(40) NOT NULL, 
	organisation_id VARCHAR(40), 
	name TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	hint VARCHAR(8) NOT NULL, 
	scopes TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT, 
	last_used_at BIGINT, 
	CONSTRAINT fk_access_tokens_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE, 
	CONSTRAINT fk_access_tokens_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT pk_access_tokens PRIMARY KEY (id), 
	CONSTRAINT uq_access_tokens_digest UNIQUE (digest)
);
CREATE INDEX ix_access_tokens_user_id ON access_tokens (user_id, id);
CREATE TABLE invitations (
	id VARCHAR(40) NOT NULL, 
	organisation_id VARCHAR(40) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	role VARCHAR(10) NOT NULL, 
	email VARCHAR(254), 
	invited_by VARCHAR(40) NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	CONSTRAINT fk_invitations_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE, 
	CONSTRAINT pk_invitations PRIMARY KEY (id), 
	CONSTRAINT uq_invitations_digest UNIQUE (digest)
);
CREATE INDEX ix_invitations_expires_at ON invitations (expires_at);
CREATE INDEX ix_invitations_organisation_id ON invitations (organisation_id, id);
CREATE TABLE compositions (
	livekit_room TEXT NOT NULL, 
	node VARCHAR(64) NOT NULL, 
	lease_until BIGINT NOT NULL, 
	CONSTRAINT pk_compositions PRIMARY KEY (livekit_room)
);
CREATE TABLE room_access (
	app_id VARCHAR(40) NOT NULL, 
	livekit_room TEXT NOT NULL, 
	level VARCHAR(12) NOT NULL, 
	users TEXT NOT NULL, 
	emails TEXT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT fk_room_access_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT pk_room_access PRIMARY KEY (app_id, livekit_room)
);
CREATE TABLE room_roles (
	app_id VARCHAR(40) NOT NULL, 
	livekit_room TEXT NOT NULL, 
	user_id VARCHAR(40) NOT NULL, 
	role VARCHAR(10) NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT fk_room_roles_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE, 
	CONSTRAINT fk_room_roles_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT pk_room_roles PRIMARY KEY (app_id, livekit_room, user_id)
);
CREATE INDEX ix_room_roles_user_id ON room_roles (user_id);
INSERT INTO alembic_version VALUES ('0021');
