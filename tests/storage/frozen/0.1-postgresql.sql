CREATE TABLE public.agents (
    id bigint NOT NULL,
    name text NOT NULL,
    address text NOT NULL,
    key text NOT NULL,
    role text DEFAULT 'agent'::text NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.agents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.agents_id_seq OWNED BY public.agents.id;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.buffers (
    id bigint NOT NULL,
    network_id bigint NOT NULL,
    target text NOT NULL,
    name text NOT NULL
);
CREATE SEQUENCE public.buffers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.buffers_id_seq OWNED BY public.buffers.id;
CREATE TABLE public.certificates (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    fingerprint text NOT NULL,
    label text DEFAULT ''::text NOT NULL
);
CREATE SEQUENCE public.certificates_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.certificates_id_seq OWNED BY public.certificates.id;
CREATE TABLE public.channels (
    id bigint NOT NULL,
    network_id bigint NOT NULL,
    name text NOT NULL,
    folded_name text NOT NULL,
    key text DEFAULT ''::text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    detached boolean DEFAULT false NOT NULL,
    relay_detached text DEFAULT ''::text NOT NULL,
    reattach_on text DEFAULT ''::text NOT NULL,
    detach_on text DEFAULT ''::text NOT NULL,
    detach_after_s bigint DEFAULT 0 NOT NULL,
    always_notify boolean DEFAULT false NOT NULL,
    keep_age_s bigint,
    keep_bytes bigint
);
CREATE SEQUENCE public.channels_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.channels_id_seq OWNED BY public.channels.id;
CREATE TABLE public.clients (
    id bigint NOT NULL,
    network_id bigint NOT NULL,
    name text NOT NULL,
    delivered_id bigint DEFAULT 0 NOT NULL,
    autoplay boolean,
    seen_ms bigint DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.clients_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.clients_id_seq OWNED BY public.clients.id;
CREATE TABLE public.markers (
    id bigint NOT NULL,
    network_id bigint NOT NULL,
    target text NOT NULL,
    time_ms bigint DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.markers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.markers_id_seq OWNED BY public.markers.id;
CREATE TABLE public.marks (
    id bigint NOT NULL,
    network_id bigint NOT NULL,
    target text NOT NULL,
    key text NOT NULL,
    value text NOT NULL
);
CREATE SEQUENCE public.marks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.marks_id_seq OWNED BY public.marks.id;
CREATE TABLE public.messages (
    id bigint NOT NULL,
    network_id bigint NOT NULL,
    buffer_id bigint NOT NULL,
    source_id bigint NOT NULL,
    time_ms bigint NOT NULL,
    msgid text NOT NULL,
    command text NOT NULL,
    tags text NOT NULL,
    addressee text NOT NULL,
    text text NOT NULL
);
CREATE SEQUENCE public.messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.messages_id_seq OWNED BY public.messages.id;
CREATE TABLE public.meta (
    key text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.networks (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    name text NOT NULL,
    folded_name text NOT NULL,
    uri text NOT NULL,
    nick text DEFAULT ''::text NOT NULL,
    ident text DEFAULT ''::text NOT NULL,
    realname text DEFAULT ''::text NOT NULL,
    password text DEFAULT ''::text NOT NULL,
    sasl_mechanism text DEFAULT ''::text NOT NULL,
    sasl_login text DEFAULT ''::text NOT NULL,
    sasl_password text DEFAULT ''::text NOT NULL,
    sasl_required boolean DEFAULT false NOT NULL,
    certificate text DEFAULT ''::text NOT NULL,
    fingerprint text DEFAULT ''::text NOT NULL,
    source_address text DEFAULT ''::text NOT NULL,
    proxy text DEFAULT ''::text NOT NULL,
    connect_commands text DEFAULT ''::text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    auto_away boolean,
    rate double precision,
    keep_age_s bigint,
    keep_bytes bigint
);
CREATE SEQUENCE public.networks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.networks_id_seq OWNED BY public.networks.id;
CREATE TABLE public.sources (
    id bigint NOT NULL,
    source text NOT NULL
);
CREATE SEQUENCE public.sources_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.sources_id_seq OWNED BY public.sources.id;
CREATE TABLE public.staff (
    id bigint NOT NULL,
    handle text NOT NULL,
    display text DEFAULT ''::text NOT NULL,
    role text DEFAULT ''::text NOT NULL,
    oncall bigint DEFAULT 0 NOT NULL,
    admin boolean DEFAULT false NOT NULL,
    "user" text DEFAULT ''::text NOT NULL,
    nicks text DEFAULT ''::text NOT NULL,
    accounts text DEFAULT ''::text NOT NULL,
    keys text DEFAULT ''::text NOT NULL
);
CREATE SEQUENCE public.staff_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.staff_id_seq OWNED BY public.staff.id;
CREATE TABLE public.users (
    id bigint NOT NULL,
    name text NOT NULL,
    folded_name text NOT NULL,
    admin boolean DEFAULT false NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    password_hash text DEFAULT ''::text NOT NULL,
    scram text DEFAULT ''::text NOT NULL,
    nick text DEFAULT ''::text NOT NULL,
    realname text DEFAULT ''::text NOT NULL,
    auto_away boolean,
    autoplay boolean,
    keep_age_s bigint,
    keep_bytes bigint
);
CREATE SEQUENCE public.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.agents ALTER COLUMN id SET DEFAULT nextval('public.agents_id_seq'::regclass);
ALTER TABLE ONLY public.buffers ALTER COLUMN id SET DEFAULT nextval('public.buffers_id_seq'::regclass);
ALTER TABLE ONLY public.certificates ALTER COLUMN id SET DEFAULT nextval('public.certificates_id_seq'::regclass);
ALTER TABLE ONLY public.channels ALTER COLUMN id SET DEFAULT nextval('public.channels_id_seq'::regclass);
ALTER TABLE ONLY public.clients ALTER COLUMN id SET DEFAULT nextval('public.clients_id_seq'::regclass);
ALTER TABLE ONLY public.markers ALTER COLUMN id SET DEFAULT nextval('public.markers_id_seq'::regclass);
ALTER TABLE ONLY public.marks ALTER COLUMN id SET DEFAULT nextval('public.marks_id_seq'::regclass);
ALTER TABLE ONLY public.messages ALTER COLUMN id SET DEFAULT nextval('public.messages_id_seq'::regclass);
ALTER TABLE ONLY public.networks ALTER COLUMN id SET DEFAULT nextval('public.networks_id_seq'::regclass);
ALTER TABLE ONLY public.sources ALTER COLUMN id SET DEFAULT nextval('public.sources_id_seq'::regclass);
ALTER TABLE ONLY public.staff ALTER COLUMN id SET DEFAULT nextval('public.staff_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
INSERT INTO public.agents VALUES (1, 'one', 'a.example.net:6697', 'key', 'agent', 1);
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.buffers VALUES (1, 1, '#ops', '#Ops');
INSERT INTO public.certificates VALUES (1, 1, 'abababababababababababababababababababababababababababababababab', 'phone');
INSERT INTO public.channels VALUES (1, 1, '#Ops', '#ops', 'plain:k', true, true, '', '', '', 0, false, NULL, NULL);
INSERT INTO public.clients VALUES (1, 1, 'phone', 4294967297, NULL, 0);
INSERT INTO public.markers VALUES (1, 1, '#ops', 5);
INSERT INTO public.marks VALUES (1, 1, '#ops', 'pinned', '1');
INSERT INTO public.messages VALUES (4294967296, 1, 1, 1, 1000, '', 'PRIVMSG', 'account=bob', '', 'line 0 it''s');
INSERT INTO public.messages VALUES (4294967297, 1, 1, 1, 1001, 'id1', 'PRIVMSG', 'account=bob', '', 'line 1 it''s');
INSERT INTO public.messages VALUES (4294967298, 1, 1, 1, 1002, '', 'PRIVMSG', 'account=bob', '', 'line 2 it''s');
INSERT INTO public.meta VALUES ('identity', 'b4728a598c0e40e8b75e43380eb8f5a3');
INSERT INTO public.networks VALUES (1, 1, 'libera', 'libera', 'ircs://irc.libera.chat', 'alice', '', '', 'plain:pw', '', '', '', false, '', '', '', '', 'plain:["MODE alice +B"]', true, NULL, 2.5, NULL, NULL);
INSERT INTO public.sources VALUES (1, 'bob!b@example.net');
INSERT INTO public.staff VALUES (1, 'alice', '', '', 1, false, '', '[["libera", "alice"]]', '', '[["recovery", "h"]]');
INSERT INTO public.users VALUES (1, 'alice', 'alice', true, true, '$argon2id$x', 's', '', '', NULL, NULL, 86400, NULL);
SELECT pg_catalog.setval('public.agents_id_seq', 1, true);
SELECT pg_catalog.setval('public.buffers_id_seq', 1, true);
SELECT pg_catalog.setval('public.certificates_id_seq', 1, true);
SELECT pg_catalog.setval('public.channels_id_seq', 1, true);
SELECT pg_catalog.setval('public.clients_id_seq', 1, true);
SELECT pg_catalog.setval('public.markers_id_seq', 1, true);
SELECT pg_catalog.setval('public.marks_id_seq', 1, true);
SELECT pg_catalog.setval('public.messages_id_seq', 1, false);
SELECT pg_catalog.setval('public.networks_id_seq', 1, true);
SELECT pg_catalog.setval('public.sources_id_seq', 1, true);
SELECT pg_catalog.setval('public.staff_id_seq', 1, true);
SELECT pg_catalog.setval('public.users_id_seq', 1, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT pk_agents PRIMARY KEY (id);
ALTER TABLE ONLY public.buffers
    ADD CONSTRAINT pk_buffers PRIMARY KEY (id);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT pk_certificates PRIMARY KEY (id);
ALTER TABLE ONLY public.channels
    ADD CONSTRAINT pk_channels PRIMARY KEY (id);
ALTER TABLE ONLY public.clients
    ADD CONSTRAINT pk_clients PRIMARY KEY (id);
ALTER TABLE ONLY public.markers
    ADD CONSTRAINT pk_markers PRIMARY KEY (id);
ALTER TABLE ONLY public.marks
    ADD CONSTRAINT pk_marks PRIMARY KEY (id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT pk_messages PRIMARY KEY (id);
ALTER TABLE ONLY public.meta
    ADD CONSTRAINT pk_meta PRIMARY KEY (key);
ALTER TABLE ONLY public.networks
    ADD CONSTRAINT pk_networks PRIMARY KEY (id);
ALTER TABLE ONLY public.sources
    ADD CONSTRAINT pk_sources PRIMARY KEY (id);
ALTER TABLE ONLY public.staff
    ADD CONSTRAINT pk_staff PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT pk_users PRIMARY KEY (id);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT uq_agents_name UNIQUE (name);
ALTER TABLE ONLY public.buffers
    ADD CONSTRAINT uq_buffers_network_id_target UNIQUE (network_id, target);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT uq_certificates_fingerprint UNIQUE (fingerprint);
ALTER TABLE ONLY public.channels
    ADD CONSTRAINT uq_channels_network_id_folded_name UNIQUE (network_id, folded_name);
ALTER TABLE ONLY public.clients
    ADD CONSTRAINT uq_clients_network_id_name UNIQUE (network_id, name);
ALTER TABLE ONLY public.markers
    ADD CONSTRAINT uq_markers_network_id_target UNIQUE (network_id, target);
ALTER TABLE ONLY public.marks
    ADD CONSTRAINT uq_marks_network_id_target_key UNIQUE (network_id, target, key);
ALTER TABLE ONLY public.networks
    ADD CONSTRAINT uq_networks_user_id_folded_name UNIQUE (user_id, folded_name);
ALTER TABLE ONLY public.sources
    ADD CONSTRAINT uq_sources_source UNIQUE (source);
ALTER TABLE ONLY public.staff
    ADD CONSTRAINT uq_staff_handle UNIQUE (handle);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT uq_users_folded_name UNIQUE (folded_name);
CREATE INDEX ix_certificates_user_id ON public.certificates USING btree (user_id);
CREATE INDEX ix_messages_buffer_id_time_ms_id ON public.messages USING btree (buffer_id, time_ms, id);
CREATE INDEX ix_messages_network_id_id ON public.messages USING btree (network_id, id);
ALTER TABLE ONLY public.buffers
    ADD CONSTRAINT fk_buffers_network_id_networks FOREIGN KEY (network_id) REFERENCES public.networks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT fk_certificates_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.channels
    ADD CONSTRAINT fk_channels_network_id_networks FOREIGN KEY (network_id) REFERENCES public.networks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.clients
    ADD CONSTRAINT fk_clients_network_id_networks FOREIGN KEY (network_id) REFERENCES public.networks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.markers
    ADD CONSTRAINT fk_markers_network_id_networks FOREIGN KEY (network_id) REFERENCES public.networks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.marks
    ADD CONSTRAINT fk_marks_network_id_networks FOREIGN KEY (network_id) REFERENCES public.networks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.networks
    ADD CONSTRAINT fk_networks_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
