BEGIN TRANSACTION;
CREATE TABLE agents (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	address TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	role TEXT DEFAULT 'agent' NOT NULL, 
	position BIGINT DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_agents PRIMARY KEY (id), 
	CONSTRAINT uq_agents_name UNIQUE (name)
);
INSERT INTO "agents" VALUES(1,'one','a.example.net:6697','key','agent',1);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE buffers (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	network_id INTEGER NOT NULL, 
	target TEXT NOT NULL, 
	name TEXT NOT NULL, 
	CONSTRAINT fk_buffers_network_id_networks FOREIGN KEY(network_id) REFERENCES networks (id) ON DELETE CASCADE, 
	CONSTRAINT uq_buffers_network_id_target UNIQUE (network_id, target)
);
INSERT INTO "buffers" VALUES(1,1,'#ops','#Ops');
CREATE TABLE certificates (
	id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	fingerprint TEXT NOT NULL, 
	label TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_certificates PRIMARY KEY (id), 
	CONSTRAINT fk_certificates_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_certificates_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "certificates" VALUES(1,1,'abababababababababababababababababababababababababababababababab','phone');
CREATE TABLE channels (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	network_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	folded_name TEXT NOT NULL, 
	"key" TEXT DEFAULT '' NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	detached BOOLEAN DEFAULT 0 NOT NULL, 
	relay_detached TEXT DEFAULT '' NOT NULL, 
	reattach_on TEXT DEFAULT '' NOT NULL, 
	detach_on TEXT DEFAULT '' NOT NULL, 
	detach_after_s BIGINT DEFAULT 0 NOT NULL, 
	always_notify BOOLEAN DEFAULT 0 NOT NULL, 
	keep_age_s BIGINT, 
	keep_bytes BIGINT, 
	CONSTRAINT fk_channels_network_id_networks FOREIGN KEY(network_id) REFERENCES networks (id) ON DELETE CASCADE, 
	CONSTRAINT uq_channels_network_id_folded_name UNIQUE (network_id, folded_name)
);
INSERT INTO "channels" VALUES(1,1,'#Ops','#ops','plain:k',1,1,'','','',0,0,NULL,NULL);
CREATE TABLE clients (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	network_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	delivered_id BIGINT DEFAULT 0 NOT NULL, 
	autoplay BOOLEAN, 
	seen_ms BIGINT DEFAULT 0 NOT NULL, 
	CONSTRAINT fk_clients_network_id_networks FOREIGN KEY(network_id) REFERENCES networks (id) ON DELETE CASCADE, 
	CONSTRAINT uq_clients_network_id_name UNIQUE (network_id, name)
);
INSERT INTO "clients" VALUES(1,1,'phone',4294967297,NULL,0);
CREATE TABLE markers (
	id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	target TEXT NOT NULL, 
	time_ms BIGINT DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_markers PRIMARY KEY (id), 
	CONSTRAINT fk_markers_network_id_networks FOREIGN KEY(network_id) REFERENCES networks (id) ON DELETE CASCADE, 
	CONSTRAINT uq_markers_network_id_target UNIQUE (network_id, target)
);
INSERT INTO "markers" VALUES(1,1,'#ops',5);
CREATE TABLE marks (
	id INTEGER NOT NULL, 
	network_id INTEGER NOT NULL, 
	target TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_marks PRIMARY KEY (id), 
	CONSTRAINT fk_marks_network_id_networks FOREIGN KEY(network_id) REFERENCES networks (id) ON DELETE CASCADE, 
	CONSTRAINT uq_marks_network_id_target_key UNIQUE (network_id, target, "key")
);
INSERT INTO "marks" VALUES(1,1,'#ops','pinned','1');
CREATE TABLE messages (
	id INTEGER NOT NULL, 
	network_id BIGINT NOT NULL, 
	buffer_id BIGINT NOT NULL, 
	source_id BIGINT NOT NULL, 
	time_ms BIGINT NOT NULL, 
	msgid TEXT NOT NULL, 
	command TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	addressee TEXT NOT NULL, 
	text TEXT NOT NULL, 
	CONSTRAINT pk_messages PRIMARY KEY (id)
);
INSERT INTO "messages" VALUES(4294967296,1,1,1,1000,'','PRIVMSG','account=bob','','line 0 it''s');
INSERT INTO "messages" VALUES(4294967297,1,1,1,1001,'id1','PRIVMSG','account=bob','','line 1 it''s');
INSERT INTO "messages" VALUES(4294967298,1,1,1,1002,'','PRIVMSG','account=bob','','line 2 it''s');
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('identity','24d21d3c86c44e74b5d67e031b899ff2');
CREATE TABLE networks (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	user_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	folded_name TEXT NOT NULL, 
	uri TEXT NOT NULL, 
	nick TEXT DEFAULT '' NOT NULL, 
	ident TEXT DEFAULT '' NOT NULL, 
	realname TEXT DEFAULT '' NOT NULL, 
	password TEXT DEFAULT '' NOT NULL, 
	sasl_mechanism TEXT DEFAULT '' NOT NULL, 
	sasl_login TEXT DEFAULT '' NOT NULL, 
	sasl_password TEXT DEFAULT '' NOT NULL, 
	sasl_required BOOLEAN DEFAULT 0 NOT NULL, 
	certificate TEXT DEFAULT '' NOT NULL, 
	fingerprint TEXT DEFAULT '' NOT NULL, 
	source_address TEXT DEFAULT '' NOT NULL, 
	proxy TEXT DEFAULT '' NOT NULL, 
	connect_commands TEXT DEFAULT '' NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	auto_away BOOLEAN, 
	rate FLOAT, 
	keep_age_s BIGINT, 
	keep_bytes BIGINT, 
	CONSTRAINT fk_networks_user_id_users FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_networks_user_id_folded_name UNIQUE (user_id, folded_name)
);
INSERT INTO "networks" VALUES(1,1,'libera','libera','ircs://irc.libera.chat','alice','','','plain:pw','','','',0,'','','','','plain:["MODE alice +B"]',1,NULL,2.5,NULL,NULL);
CREATE TABLE sources (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	source TEXT NOT NULL, 
	CONSTRAINT uq_sources_source UNIQUE (source)
);
INSERT INTO "sources" VALUES(1,'bob!b@example.net');
CREATE TABLE staff (
	id INTEGER NOT NULL, 
	handle TEXT NOT NULL, 
	display TEXT DEFAULT '' NOT NULL, 
	role TEXT DEFAULT '' NOT NULL, 
	oncall BIGINT DEFAULT 0 NOT NULL, 
	admin BOOLEAN DEFAULT 0 NOT NULL, 
	user TEXT DEFAULT '' NOT NULL, 
	nicks TEXT DEFAULT '' NOT NULL, 
	accounts TEXT DEFAULT '' NOT NULL, 
	keys TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_staff PRIMARY KEY (id), 
	CONSTRAINT uq_staff_handle UNIQUE (handle)
);
INSERT INTO "staff" VALUES(1,'alice','','',1,0,'','[["libera", "alice"]]','','[["recovery", "h"]]');
CREATE TABLE users (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	folded_name TEXT NOT NULL, 
	admin BOOLEAN DEFAULT 0 NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	password_hash TEXT DEFAULT '' NOT NULL, 
	scram TEXT DEFAULT '' NOT NULL, 
	nick TEXT DEFAULT '' NOT NULL, 
	realname TEXT DEFAULT '' NOT NULL, 
	auto_away BOOLEAN, 
	autoplay BOOLEAN, 
	keep_age_s BIGINT, 
	keep_bytes BIGINT, 
	CONSTRAINT uq_users_folded_name UNIQUE (folded_name)
);
INSERT INTO "users" VALUES(1,'alice','alice',1,1,'$argon2id$x','s','','',NULL,NULL,86400,NULL);
CREATE INDEX ix_messages_buffer_id_time_ms_id ON messages (buffer_id, time_ms, id);
CREATE INDEX ix_messages_network_id_id ON messages (network_id, id);
CREATE INDEX ix_certificates_user_id ON certificates (user_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('users',1);
INSERT INTO "sqlite_sequence" VALUES('networks',1);
INSERT INTO "sqlite_sequence" VALUES('channels',1);
INSERT INTO "sqlite_sequence" VALUES('clients',1);
INSERT INTO "sqlite_sequence" VALUES('buffers',1);
INSERT INTO "sqlite_sequence" VALUES('sources',1);
COMMIT;
