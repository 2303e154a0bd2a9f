--
-- PostgreSQL database dump
--


-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: customlabels_4a7920c26e9c47a7; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA customlabels_4a7920c26e9c47a7;


--
-- Name: customlabels_6d43f7cc225446ba; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA customlabels_6d43f7cc225446ba;


--
-- Name: customlabels_97b947b97bce426c; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA customlabels_97b947b97bce426c;


--
-- Name: customlabels_d0c86b72de954505; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA customlabels_d0c86b72de954505;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: annotations; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.annotations (
    id bigint NOT NULL,
    image_id bigint NOT NULL,
    label_id integer NOT NULL,
    "left" double precision,
    top double precision,
    width double precision,
    height double precision,
    polygon text,
    crowd smallint NOT NULL,
    confidence double precision NOT NULL,
    annotator text,
    job text,
    created bigint NOT NULL
);


--
-- Name: counters; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.counters (
    name text NOT NULL,
    next_id bigint NOT NULL
);


--
-- Name: datasets; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.datasets (
    split text NOT NULL,
    status text NOT NULL,
    status_message text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    sources text,
    tags text
);


--
-- Name: history; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.history (
    id bigint NOT NULL,
    created bigint NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    note text NOT NULL,
    split text,
    count integer NOT NULL,
    before bytea,
    after bytea,
    undo bytea,
    undoes bigint
);


--
-- Name: images; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.images (
    id bigint NOT NULL,
    split text NOT NULL,
    image text NOT NULL,
    status text NOT NULL,
    width integer,
    height integer,
    sha256 text,
    bytes bigint,
    mtime_ns bigint,
    source text,
    tags text,
    extra text,
    revision integer NOT NULL,
    created bigint NOT NULL
);


--
-- Name: import_lines; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.import_lines (
    id bigint NOT NULL,
    split text NOT NULL,
    source text NOT NULL,
    line integer NOT NULL,
    raw text NOT NULL
);


--
-- Name: issues; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.issues (
    id bigint NOT NULL,
    created bigint NOT NULL,
    split text,
    code text NOT NULL,
    message text NOT NULL,
    "where" text NOT NULL,
    source text NOT NULL,
    line integer
);


--
-- Name: labels; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.labels (
    id integer NOT NULL,
    label text NOT NULL,
    colour text NOT NULL,
    "position" integer NOT NULL
);


--
-- Name: meta; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.meta (
    key text NOT NULL,
    value text NOT NULL
);


--
-- Name: predictions; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.predictions (
    id bigint NOT NULL,
    image_id bigint NOT NULL,
    label_id integer NOT NULL,
    "left" double precision,
    top double precision,
    width double precision,
    height double precision,
    polygon text,
    crowd smallint NOT NULL,
    confidence double precision NOT NULL,
    annotator text,
    job text,
    created bigint NOT NULL,
    model text NOT NULL
);


--
-- Name: project; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.project (
    id integer NOT NULL,
    name text NOT NULL,
    task text,
    status text NOT NULL,
    status_message text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    tags text,
    instructions text
);


--
-- Name: snapshots; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.snapshots (
    id bigint NOT NULL,
    name text NOT NULL,
    created bigint NOT NULL,
    who text NOT NULL,
    split text,
    images bigint NOT NULL,
    annotations bigint NOT NULL,
    content bytea NOT NULL
);


--
-- Name: versions; Type: TABLE; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE TABLE customlabels_4a7920c26e9c47a7.versions (
    id integer NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    status_message text NOT NULL,
    kind text,
    folder text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    tags text,
    config text,
    metrics text,
    statistics text,
    alias text,
    host text,
    pid integer,
    heartbeat bigint
);


--
-- Name: annotations; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.annotations (
    id bigint NOT NULL,
    image_id bigint NOT NULL,
    label_id integer NOT NULL,
    "left" double precision,
    top double precision,
    width double precision,
    height double precision,
    polygon text,
    crowd smallint NOT NULL,
    confidence double precision NOT NULL,
    annotator text,
    job text,
    created bigint NOT NULL
);


--
-- Name: counters; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.counters (
    name text NOT NULL,
    next_id bigint NOT NULL
);


--
-- Name: datasets; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.datasets (
    split text NOT NULL,
    status text NOT NULL,
    status_message text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    sources text,
    tags text
);


--
-- Name: history; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.history (
    id bigint NOT NULL,
    created bigint NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    note text NOT NULL,
    split text,
    count integer NOT NULL,
    before bytea,
    after bytea,
    undo bytea,
    undoes bigint
);


--
-- Name: images; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.images (
    id bigint NOT NULL,
    split text NOT NULL,
    image text NOT NULL,
    status text NOT NULL,
    width integer,
    height integer,
    sha256 text,
    bytes bigint,
    mtime_ns bigint,
    source text,
    tags text,
    extra text,
    revision integer NOT NULL,
    created bigint NOT NULL
);


--
-- Name: import_lines; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.import_lines (
    id bigint NOT NULL,
    split text NOT NULL,
    source text NOT NULL,
    line integer NOT NULL,
    raw text NOT NULL
);


--
-- Name: issues; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.issues (
    id bigint NOT NULL,
    created bigint NOT NULL,
    split text,
    code text NOT NULL,
    message text NOT NULL,
    "where" text NOT NULL,
    source text NOT NULL,
    line integer
);


--
-- Name: labels; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.labels (
    id integer NOT NULL,
    label text NOT NULL,
    colour text NOT NULL,
    "position" integer NOT NULL
);


--
-- Name: meta; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.meta (
    key text NOT NULL,
    value text NOT NULL
);


--
-- Name: predictions; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.predictions (
    id bigint NOT NULL,
    image_id bigint NOT NULL,
    label_id integer NOT NULL,
    "left" double precision,
    top double precision,
    width double precision,
    height double precision,
    polygon text,
    crowd smallint NOT NULL,
    confidence double precision NOT NULL,
    annotator text,
    job text,
    created bigint NOT NULL,
    model text NOT NULL
);


--
-- Name: project; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.project (
    id integer NOT NULL,
    name text NOT NULL,
    task text,
    status text NOT NULL,
    status_message text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    tags text,
    instructions text
);


--
-- Name: snapshots; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.snapshots (
    id bigint NOT NULL,
    name text NOT NULL,
    created bigint NOT NULL,
    who text NOT NULL,
    split text,
    images bigint NOT NULL,
    annotations bigint NOT NULL,
    content bytea NOT NULL
);


--
-- Name: versions; Type: TABLE; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE TABLE customlabels_6d43f7cc225446ba.versions (
    id integer NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    status_message text NOT NULL,
    kind text,
    folder text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    tags text,
    config text,
    metrics text,
    statistics text,
    alias text,
    host text,
    pid integer,
    heartbeat bigint
);


--
-- Name: annotations; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.annotations (
    id bigint NOT NULL,
    image_id bigint NOT NULL,
    label_id integer NOT NULL,
    "left" double precision,
    top double precision,
    width double precision,
    height double precision,
    polygon text,
    crowd smallint NOT NULL,
    confidence double precision NOT NULL,
    annotator text,
    job text,
    created bigint NOT NULL
);


--
-- Name: counters; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.counters (
    name text NOT NULL,
    next_id bigint NOT NULL
);


--
-- Name: datasets; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.datasets (
    split text NOT NULL,
    status text NOT NULL,
    status_message text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    sources text,
    tags text
);


--
-- Name: history; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.history (
    id bigint NOT NULL,
    created bigint NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    note text NOT NULL,
    split text,
    count integer NOT NULL,
    before bytea,
    after bytea,
    undo bytea,
    undoes bigint
);


--
-- Name: images; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.images (
    id bigint NOT NULL,
    split text NOT NULL,
    image text NOT NULL,
    status text NOT NULL,
    width integer,
    height integer,
    sha256 text,
    bytes bigint,
    mtime_ns bigint,
    source text,
    tags text,
    extra text,
    revision integer NOT NULL,
    created bigint NOT NULL
);


--
-- Name: import_lines; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.import_lines (
    id bigint NOT NULL,
    split text NOT NULL,
    source text NOT NULL,
    line integer NOT NULL,
    raw text NOT NULL
);


--
-- Name: issues; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.issues (
    id bigint NOT NULL,
    created bigint NOT NULL,
    split text,
    code text NOT NULL,
    message text NOT NULL,
    "where" text NOT NULL,
    source text NOT NULL,
    line integer
);


--
-- Name: labels; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.labels (
    id integer NOT NULL,
    label text NOT NULL,
    colour text NOT NULL,
    "position" integer NOT NULL
);


--
-- Name: meta; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.meta (
    key text NOT NULL,
    value text NOT NULL
);


--
-- Name: predictions; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.predictions (
    id bigint NOT NULL,
    image_id bigint NOT NULL,
    label_id integer NOT NULL,
    "left" double precision,
    top double precision,
    width double precision,
    height double precision,
    polygon text,
    crowd smallint NOT NULL,
    confidence double precision NOT NULL,
    annotator text,
    job text,
    created bigint NOT NULL,
    model text NOT NULL
);


--
-- Name: project; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.project (
    id integer NOT NULL,
    name text NOT NULL,
    task text,
    status text NOT NULL,
    status_message text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    tags text,
    instructions text
);


--
-- Name: snapshots; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.snapshots (
    id bigint NOT NULL,
    name text NOT NULL,
    created bigint NOT NULL,
    who text NOT NULL,
    split text,
    images bigint NOT NULL,
    annotations bigint NOT NULL,
    content bytea NOT NULL
);


--
-- Name: versions; Type: TABLE; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE TABLE customlabels_97b947b97bce426c.versions (
    id integer NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    status_message text NOT NULL,
    kind text,
    folder text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    tags text,
    config text,
    metrics text,
    statistics text,
    alias text,
    host text,
    pid integer,
    heartbeat bigint
);


--
-- Name: annotations; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.annotations (
    id bigint NOT NULL,
    image_id bigint NOT NULL,
    label_id integer NOT NULL,
    "left" double precision,
    top double precision,
    width double precision,
    height double precision,
    polygon text,
    crowd smallint NOT NULL,
    confidence double precision NOT NULL,
    annotator text,
    job text,
    created bigint NOT NULL
);


--
-- Name: counters; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.counters (
    name text NOT NULL,
    next_id bigint NOT NULL
);


--
-- Name: datasets; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.datasets (
    split text NOT NULL,
    status text NOT NULL,
    status_message text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    sources text,
    tags text
);


--
-- Name: history; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.history (
    id bigint NOT NULL,
    created bigint NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    note text NOT NULL,
    split text,
    count integer NOT NULL,
    before bytea,
    after bytea,
    undo bytea,
    undoes bigint
);


--
-- Name: images; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.images (
    id bigint NOT NULL,
    split text NOT NULL,
    image text NOT NULL,
    status text NOT NULL,
    width integer,
    height integer,
    sha256 text,
    bytes bigint,
    mtime_ns bigint,
    source text,
    tags text,
    extra text,
    revision integer NOT NULL,
    created bigint NOT NULL
);


--
-- Name: import_lines; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.import_lines (
    id bigint NOT NULL,
    split text NOT NULL,
    source text NOT NULL,
    line integer NOT NULL,
    raw text NOT NULL
);


--
-- Name: issues; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.issues (
    id bigint NOT NULL,
    created bigint NOT NULL,
    split text,
    code text NOT NULL,
    message text NOT NULL,
    "where" text NOT NULL,
    source text NOT NULL,
    line integer
);


--
-- Name: labels; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.labels (
    id integer NOT NULL,
    label text NOT NULL,
    colour text NOT NULL,
    "position" integer NOT NULL
);


--
-- Name: meta; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.meta (
    key text NOT NULL,
    value text NOT NULL
);


--
-- Name: predictions; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.predictions (
    id bigint NOT NULL,
    image_id bigint NOT NULL,
    label_id integer NOT NULL,
    "left" double precision,
    top double precision,
    width double precision,
    height double precision,
    polygon text,
    crowd smallint NOT NULL,
    confidence double precision NOT NULL,
    annotator text,
    job text,
    created bigint NOT NULL,
    model text NOT NULL
);


--
-- Name: project; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.project (
    id integer NOT NULL,
    name text NOT NULL,
    task text,
    status text NOT NULL,
    status_message text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    tags text,
    instructions text
);


--
-- Name: snapshots; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.snapshots (
    id bigint NOT NULL,
    name text NOT NULL,
    created bigint NOT NULL,
    who text NOT NULL,
    split text,
    images bigint NOT NULL,
    annotations bigint NOT NULL,
    content bytea NOT NULL
);


--
-- Name: versions; Type: TABLE; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE TABLE customlabels_d0c86b72de954505.versions (
    id integer NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    status_message text NOT NULL,
    kind text,
    folder text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    tags text,
    config text,
    metrics text,
    statistics text,
    alias text,
    host text,
    pid integer,
    heartbeat bigint
);


--
-- Data for Name: annotations; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (1, 1, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (2, 2, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (3, 3, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (4, 4, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (5, 5, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (6, 6, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (7, 7, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (8, 8, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (9, 9, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (10, 10, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (11, 11, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (12, 12, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (13, 13, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (14, 14, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (15, 15, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (16, 16, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (17, 17, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (18, 18, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093401140);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (19, 19, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093452517);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (20, 20, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093452517);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (21, 21, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093452517);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (22, 22, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093452517);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (23, 23, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093452517);
INSERT INTO customlabels_4a7920c26e9c47a7.annotations VALUES (24, 24, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093452517);


--
-- Data for Name: counters; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

INSERT INTO customlabels_4a7920c26e9c47a7.counters VALUES ('labels', 4);
INSERT INTO customlabels_4a7920c26e9c47a7.counters VALUES ('images', 25);
INSERT INTO customlabels_4a7920c26e9c47a7.counters VALUES ('image changes', 3);
INSERT INTO customlabels_4a7920c26e9c47a7.counters VALUES ('annotations', 25);
INSERT INTO customlabels_4a7920c26e9c47a7.counters VALUES ('snapshots', 2);
INSERT INTO customlabels_4a7920c26e9c47a7.counters VALUES ('history', 8);


--
-- Data for Name: datasets; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

INSERT INTO customlabels_4a7920c26e9c47a7.datasets VALUES ('train', 'CREATE_COMPLETE', 'The dataset is ready.', 1795259093426596, 1795259093426596, '[{"kind":"table","name":"a table of 18 images","copy":true}]', NULL);
INSERT INTO customlabels_4a7920c26e9c47a7.datasets VALUES ('test', 'CREATE_COMPLETE', 'The dataset is ready.', 1795259093470243, 1795259093470243, '[{"kind":"table","name":"a table of 6 images","copy":true}]', NULL);


--
-- Data for Name: history; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

INSERT INTO customlabels_4a7920c26e9c47a7.history VALUES (1, 1795259093395222, 'root', 'tag project', '', NULL, 0, '\x789cab562a494c2f56b2ca2bcdc9a9050020be04e1', '\x789cab562a494c2f56b2aa56ca4e2d2851b25232d033d43350d251cacecc4b01728b33f3d27352757312935273946a6b01561e0ec4', NULL, NULL);
INSERT INTO customlabels_4a7920c26e9c47a7.history VALUES (2, 1795259093447579, 'root', 'import', 'a table of 18 images', 'train', 18, NULL, '\x789c5d92cdae96210c84efe55b8b96d296d65b312efa03272e34262e8df72e465dbcec48f3c03033fdf9faf2d5dfd68fd7c74fff4e1f0c40a80bf914db5ad0a631996d7afffddbdbebdd7feccc502b593807c9a6069d5c51f58959452c9963466c205d8d83a6d2ee4fcc8922cd7241a03b54b3b9d90af6134bb04c8b39c84b6479a31a0a7de0132be1a2892ca65c50ab2d834d219705caea3179518c122f6f03fa7458eb1245c0183c74e9eec8dc36afd5cbe7131b45ebe8c93284193d1aa1bab3c813d36d82db71170a5065b3e830b45f7fdb9de93c80c395f7cede4433f2d4718b46779ed3829c02eb94a567a0e30aa44e31f9477a4e55cf364539392fd1797c0a3013ee74cfd9d8c41cec6a017daf8d8812915bcc9a571a2fb9aa2fa393ab45a61fa30ccdd63a97fa15882f72190c945cc7e159a49308a2de2d28e80a8624caaed6dbd2d2e0fe77913efffa0d376bce76', '\x789c4d8f4d6e83400c85af825eb75e7448a2265c05a1c8302642859968308b0871f77a121a65677d7a7f5e71e7a433aa75234cecc52e8cdcca68acae1d1d9b86304c7c931db84b261c4254d621860f6c116f6bf37f5fb957492f11da711110bebaf3e974f0a0ef86ea92704b2221f3b2ffe93b0772c60f84243e537fbcb48e41656e9ea27f36e4c19e9567d1f9fa5a5e43130f01a69ae392ba3c79dd99f55be68adf217854506ec7bc24f0644670f10445ec0b772ef677095dbc3f50695a64b3efb63f3b085ea1', NULL);
INSERT INTO customlabels_4a7920c26e9c47a7.history VALUES (3, 1795259093476600, 'root', 'import', 'a table of 6 images', 'test', 6, NULL, '\x789c5dca310e42310800d0bbfcd92ab4b48057310e85d21f078d89a3f1ee264687eff686f75c2ed7bec663399ebe3a2048f4c2e82c6a3a4a0ace3d2be9fe7e5b97ddaf1954cbeaa8d4386a913424580bb66d63086b0da0d46aa362a4a60e43da5f732632aa138ca54c6ea90b4e926cdba6864106734c332ccec9816494ecdb461c3ea9a24a1f796aa4e10ad43b7ddaf9f506605f47b0', '\x789c4d8e4d0ac3201085af226feda685169aab8884499c94d0a841278b22debd2669a1bbc737f37e0a564a92d195aae1c97153983d3db931632e0f7dbd59ab412144219963f8e7cdb3d0c0cbceec4ff73409a793f8e88eeb9eee4828b3e4feac3110ce82f694e396c6bdaf9ca8e55b6d0a5e7370e820342c0c8d40bed940ea002a4eeaaebe4b35c6b8bed149dab8b659f5030bff47ac', NULL);
INSERT INTO customlabels_4a7920c26e9c47a7.history VALUES (4, 1795259093480700, 'root', 'set instructions', '', NULL, 0, '\x789cab56cacc2b2e292a4d2ec9cccf2b56b2ca2bcdc9a905005bf50867', '\x789cab56cacc2b2e292a4d2ec9cccf2b56b2520a2e2c4d2c4a2d56c84f5328c9284a4d5548cecfc92f2d2ad653aa050075941056', NULL, NULL);
INSERT INTO customlabels_4a7920c26e9c47a7.history VALUES (5, 1795259093486297, 'root', 'take snapshot', 'as imported', NULL, 24, NULL, '\x789cab562ace4b2c28cec82f51b2524a2c56c8cc2dc82f2a494d51aa0500804c0983', NULL, NULL);
INSERT INTO customlabels_4a7920c26e9c47a7.history VALUES (6, 1795259093493337, 'root', 'rename label', '', NULL, 8, '\x789cab56ca494c4acd51b2522a4a4d51aa0500284904f6', '\x789c5dcf414e43310c04d0bbfc35a18e633b76af825838895d556a0ba24bc4dd410821fdee66f166a4f9dc2e3ee2b21db7f971bededf6edbd376befa29eedbf1e52f1d0c40a80a79174b5d50ba3199253dbfdf4eff85c3125ed491c59417ac28619034e4814d041c8d9b866645e6921c5197f73dd334c174cc8502b466b151a1697d5843cf48449431668a59f1358d4374cf3cc8a531d0e435a652819f39448d3daba0e1add7d9d586ad56a2a3a3913d5ce844833861746dd9a5b8d624c5f1cb5ebfbe0137326384', '\x789c458d490ec3201004ff32b9ce2190d57c05a1080c8e2cb15860cb07c4df3364516ed53d9aea0a8bce6b0151c16be33c91ac3026bf85d819660bf8398142c869efad3c113a0b8aaa678a0ec4a47d714d3584a02de5daf02f543f7ee86975f92b18f31c4a8aa43fd8f3609806e45d18927dbf7585d9c2423b4232bce21dd911d905d90dd9809cabf60223ca3b48', NULL);
INSERT INTO customlabels_4a7920c26e9c47a7.history VALUES (7, 1795259093500389, 'root', 'undo rename label', '', NULL, 0, NULL, '\x789cab562acd4bc94f2d56b232d351cacc4d4c0731a3636b01658f0813', '\x789c4d8edb0ec2201044ff657ddd07a9d7f6571ad2d0b21a122e0d503521fcbb606bf46d7626737612ccc2c7005d022d46d245f50926a71763ab062501d708388277cfeaf60784c92b139c055eecbbb304dd4de8409967042364b953c61f947ff5206e91fc06f154f13b796c4726009b0a334e7e2ab52e45148162185662a58c8b994babeb199ef18a6c8fec84ec82acc5a6a913e9a18272767b4aaf59ab49c56dde1f721dddf3fc061a985417', 6);


--
-- Data for Name: images; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (2, 'train', 'images/54928dc565c346f4-014a8288.png', 'labelled', 96, 72, '54928dc565c346f49f6f1dcf58b010a4e6c28d41ca502735430f6e449627c8ce', 270, 1795259037582057133, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (3, 'train', 'images/9dbbe6737bbf048e-5b4784f1.png', 'labelled', 96, 72, '9dbbe6737bbf048ecadf910c010a179a2cc618cbc9abee29612005e006f81c7c', 279, 1795259037582437097, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (4, 'train', 'images/a44bc99ce0b2aa0d-97f59d0f.png', 'labelled', 96, 72, 'a44bc99ce0b2aa0d3ce06427a0c8280b887b11454440d7fc3ffa14ef2e65d03a', 283, 1795259037583068413, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (5, 'train', 'images/c09cc9b734ad66ea-4d380132.png', 'labelled', 96, 72, 'c09cc9b734ad66eae7015a6d51aa0fa101497a23aed664002ac87e7735135ef5', 270, 1795259037583348809, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (7, 'train', 'images/4cd1b75e4b3d6ada-3017a0ee.png', 'labelled', 96, 72, '4cd1b75e4b3d6adaa96ca8c4a3efc19fcbceebc4cfdebfc50d5e1726480aba34', 275, 1795259037584205089, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (9, 'train', 'images/3d4e9856e9207b1b-428aa566.png', 'labelled', 96, 72, '3d4e9856e9207b1b436fec3f9532cd50af4d21ffd3ef77d4bbba77210e3f1945', 274, 1795259037584743557, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (11, 'train', 'images/f15442823a85ffc1-68cbc8d0.png', 'labelled', 96, 72, 'f15442823a85ffc11db0d5b59cacfe1aa1dd4683ec17dea2c69d1f5f4f051767', 280, 1795259037585545367, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (12, 'train', 'images/3db1a5779b4a4b2d-7981a583.png', 'labelled', 96, 72, '3db1a5779b4a4b2d178230fe09008f1c7a73c163dc56d4a7885d60f68f637a91', 276, 1795259037585872642, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (13, 'train', 'images/dd288c8f967788ac-7685c5c4.png', 'labelled', 96, 72, 'dd288c8f967788ac4c61276b0bc1fe583a9830e7d9c4846edf176b2ee43e67d9', 280, 1795259037586476317, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (14, 'train', 'images/72b3605542fcaac7-5969a09f.png', 'labelled', 96, 72, '72b3605542fcaac704786378409346f392e9301a0d653eea83c9d40fb836cd2c', 277, 1795259037586742592, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (16, 'train', 'images/d943d69bcca04d50-9ee22616.png', 'labelled', 96, 72, 'd943d69bcca04d5086e846600243c11f723e8aada8357428b5ffc0878a4c72a4', 283, 1795259037587544912, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (18, 'train', 'images/c808eb50c44c1891-e8d8b511.png', 'labelled', 96, 72, 'c808eb50c44c1891dd099152d2a6c418d9867a478a65a4ff89c7798674debcb3', 284, 1795259037588075329, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (20, 'test', 'images/b05b29c19467e538-d8e79316.png', 'labelled', 96, 72, 'b05b29c19467e53821a30a10912e896c6eb44a2ee40e02fd82eb505e75f4e3ff', 270, 1795259037583928909, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093471758);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (21, 'test', 'images/70eb6600355bd51e-69c0d866.png', 'labelled', 96, 72, '70eb6600355bd51e09c8da7e193622362b97d4a3dd406ad292854202d2697b61', 283, 1795259037585011935, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093471758);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (23, 'test', 'images/9b1e4b0fdfbb13c7-c048d32c.png', 'labelled', 96, 72, '9b1e4b0fdfbb13c773442dbda4c629568091f664fe9b1c811978936540a28ce4', 272, 1795259037587279489, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093471758);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (24, 'test', 'images/47ecf45198ad2f9e-dc904aa4.png', 'labelled', 96, 72, '47ecf45198ad2f9e2948bdb7e2a7db51d7a1c60d2b66a09f4336644d25643cf3', 275, 1795259037588336957, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093471758);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (1, 'train', 'images/90064164a769f8d0-795499f4.png', 'labelled', 96, 72, '90064164a769f8d0fd83123059ff2937578d09d7c8d6f2ceea07edf4f90a282c', 277, 1795259037581667515, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (6, 'train', 'images/d65d47256985d0de-e90f4b64.png', 'labelled', 96, 72, 'd65d47256985d0de46c4887c899feacddc7ca1f135d65bfe2bb81943551d347d', 271, 1795259037583623817, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (8, 'train', 'images/c202b3538e8f1255-f5ee1da7.png', 'labelled', 96, 72, 'c202b3538e8f1255f36f4c13ba0220512e9909a410fa3150be7a4ad011279956', 279, 1795259037584477913, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (10, 'train', 'images/8f962fa2fd2604dc-9b103814.png', 'labelled', 96, 72, '8f962fa2fd2604dc913047b200b511fcbba90144cf89a5d39e39aa2a562beb48', 277, 1795259037585279322, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (15, 'train', 'images/2afef2226bbcf699-adc95e68.png', 'labelled', 96, 72, '2afef2226bbcf69975d6a0a26c692bd59566fbce1b5cba058c667f72024ae862', 279, 1795259037587007275, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (17, 'train', 'images/ae4a63504c5dbc84-09b1228e.png', 'labelled', 96, 72, 'ae4a63504c5dbc84bb3d513dab36fd2b8afc1e21bb2debf10424b06a61393e32', 269, 1795259037587814672, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093435137);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (19, 'test', 'images/108ea371c789b9d3-e72a2949.png', 'labelled', 96, 72, '108ea371c789b9d3403e0a931e7099e223e80a68f65203ae0b7483d193f6baac', 269, 1795259037582776059, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093471758);
INSERT INTO customlabels_4a7920c26e9c47a7.images VALUES (22, 'test', 'images/c744b45f0b783f76-a81f482b.png', 'labelled', 96, 72, 'c744b45f0b783f760e1efeb4cc351118f33ba39d20dbe9efeb4351f2e46e66b6', 266, 1795259037586190473, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093471758);


--
-- Data for Name: import_lines; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--



--
-- Data for Name: issues; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--



--
-- Data for Name: labels; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

INSERT INTO customlabels_4a7920c26e9c47a7.labels VALUES (1, 'blue', '#c8553d', 0);
INSERT INTO customlabels_4a7920c26e9c47a7.labels VALUES (2, 'green', '#2f7fc1', 1);
INSERT INTO customlabels_4a7920c26e9c47a7.labels VALUES (3, 'red', '#d49b1a', 2);


--
-- Data for Name: meta; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

INSERT INTO customlabels_4a7920c26e9c47a7.meta VALUES ('schema_version', '2');
INSERT INTO customlabels_4a7920c26e9c47a7.meta VALUES ('dtypes of own columns', '{"camera": "str"}');


--
-- Data for Name: predictions; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--



--
-- Data for Name: project; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

INSERT INTO customlabels_4a7920c26e9c47a7.project VALUES (1, 'single-label', 'single-label', 'CREATED', '', 1795259093391702, 1795259093500389, '{"kept":"0.1.0","kind":"single-label"}', 'Squares of three colours.');


--
-- Data for Name: snapshots; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

INSERT INTO customlabels_4a7920c26e9c47a7.snapshots VALUES (1, 'as imported', 1795259093485932, 'root', NULL, 24, 24, '\x785eed58ed6e1cbb0d7d1563fa77e6561f1425fa551ca3a024ca71617b0367dddb8bc0efde23db413d8320f9935e5ca001bc9e5d2e8712c9239e33fb6519a7c77b3d2f97177ebd583e7fbabb9def1f9eeeeef0f14eabdd7dc6e7ababa5de3dd902dbdf5a4929f6e57abdb85a6e1ecd1e5eac61e4d1fcabf5d1fa8bad9354afcb358ccbedbdded80cf5e5f5ed7279f566fbbb38c7e49934b38cd2dd962591c8a0df3e3ddc2ceb5737d842e92d716a9178d0e63c6909a5ecdda4d76a9c63ae75382ab6a54ab9d0f07b3725aa4da499ab41d5f54df248d2ddd8bb3527ad49cd91b4339b6ed463713e86bd5be7d42987c4525277dd361337a8f221056addd79c8c6aecac5db7e87c5667765834b850638ac5caf021a56d2433df35efdd6227c37a6c125caebe6e148a6a62debb95211c8686d1033bea6d43535c2cfeb0b7e1132140885ad2402b372ead36b4e3b8285a9a72964a4a357434abc050e2a1201d8d6973e99c4bd1b6652ea9a5765834234f762951184db5e52d098b3a397421e8b01142e05adb60914d7b93647c687d17425da5b6a64834b94dcc70933f14448d946372d452478600122a12423976a1b86235b946d47c11bf59e9a5267f00928797c6ec5b2e52a5c7cd72d02024fb8254976a90e685381b5abbf56259e2716fd95965762ea6547bf2b6b134d7cbb1a72d03be9486abb9c49179d3e20795500f67a17a60cd8d3e6af511e56d38113d86b677a36c6d50f252b48721b6a1ba8e545f9b75bd7e1d0b57cbf9516f71deff3a57fb7c9edbf9d165e670d6f31306d0d5eb54bb9b33eafff92d4af2fb6d3f7f444584d79ff187881fedf6e62308e42a87f567fccdbe7d54ccd5d9b7234f8c5ea20fd125192348cc29635a49cf185a3c42335397ad0f1ae21483ada1df470e91c1c3f73652a9ce3b25e3068e21df34b99063a2e8061b112628c23610e072e497a67d88776ddeefb368688dfd1c9d02985910f6c1b964e0b8513024e62e8edc13c1424c014cd0c067ae968271ee09f3985c07adc631d41326a081665c548438f29265e793324606c80cdee046c98a616ea02d722e682bd93252f231d9480871e42ce24658b91550af69eb1d9b553fe00fcf3a2cd45a30be30997c8f94e7f139f2990a372d8d341a184406aa60561bb5d1ad8e965c4fe673602a4eab469a891cb86e44507bf3b1aa0bc1251f4cc489924756d127572d2bb8d8791fb20880b12e471e248430144d12261d684007f5e0c7e8d855ce9d6aad9a73f0cee24042b316478e141f1de58acecd818f3caa0a4a8a448a68ea512c8a6a00d9866a950a421cf9d3f78a746b92a66d18dae27b272ed19acfdd001396ee47023c9165e6fc92c89e5b7d061dbb610ec887126859736c9ee314411d72a9406c30005a06c7ace267530fbc4b0063c85c5d6d7e18685aa54467b90b9a4d8ce381b56b30a308d1d405218e9c8c4214c42fe464eaae286809740b3413a788435662934e6ed412b9f5976376e4eb8c7d2a0e2123e9005e43df78001bbea68646a7d298f3c88002a9150e339103971736ec17cc180835f0708e06b5d3b17ccad02d758a165772516a20e009ad23cf57a82ec0bf2b3407c4502d0a905af0153206f0f48e02c892957d946871eea21d3440c780119f420f8ad3e24b97c2c02356e5a434808e0669041b2162ab11218efa805c34a7607e1c5911e813e4e174f630059c6de8d14c25762f717085264288a376085e23868d139c8e8223c78020e96ca233079d57c2d42dc932d0058c8fd9d483ae80ac2d10948665185b008c05274323308a0af400a90d51e690284bae3ca175d41ccebc0dacdc1a868af765441cda283db85e4d5ebec217185a8019739d27153a6ba74720ab29f4dad1330e0045414a03f36a183c5bf15e20aa22279a03bcd96cea51ab406995da6bb6a0b9e3b0f6acbeb1437b1990c343448c0888019018c01971ca99fa0704031825e4bc86ecf0923594f8f6dee39a5e6d99f0824f993efc769df7bcf9f3bcc2675e679c1983e107ea430cac747fbebdb77f3cccc5c00d292471e0a9e201f7e4d3fade8661977d8c7b1b458024ef6cd17121bff78b1193dbc9de8f0344fefe5e7434b9b2f72302620ff128cf31bfbf3721eb18c26e0d08f714f9e057e680dffb31658e87bde08ca01c7bbfec5c9ec57f5f970c1a04d0f7363cbd308afcdeafb88c79bfcf0dcdc3d3c5a12e803618659f07e844e27e5df6d0c0795f676c0e70dbdf5b003049792a95d3d3232402948a5e9cb5ded9c5695cf872f1f6e88b81f4cbfc17ab097fb339ff732bc072d69b39155e7e68f9f3ff6103f66f3ccc4db07ef9b034bdb747fdb05c7e58ee6c9c3f2ccf98b4bfecbfeaf0633c5c3fe3c73d7d7838e1f1faf63499eedd2f7c6e0599ae71a535adbce6b5ac989d30fa750e74cc565a270b3286f1eacbea41a36051dc03fe8cc0e8cb93fa246ac499b1f0e5cb6b46fdb6e5c53eef048c97cb2f4b3b3d3de04da075f997ce5f302fe7617bc6f93b7dfaeef76fcfc6df89f0f559f73b2e9f4e777fdc9c1ebebb507b3cfddebfede1b0cf767a18b7dd1e26b17c6b25ffdbf47a6bc0e9f1db4ecbe3e9745ee0f7cf53fdc1664ccff865e4bf72059a1fe448a8fe9b7ef965f8713d20f4dea91d54eca719ae9f9fff03f8249470');


--
-- Data for Name: versions; Type: TABLE DATA; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--



--
-- Data for Name: annotations; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (1, 1, 3, 6, 19, 31, 31, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (2, 1, 2, 52, 13, 27, 27, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (3, 2, 2, 6, 26, 30, 30, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (4, 2, 2, 52, 5, 35, 35, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (5, 3, 1, 6, 7, 27, 27, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (6, 3, 2, 52, 16, 27, 27, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (7, 4, 2, 6, 30, 35, 35, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (8, 4, 1, 52, 32, 30, 30, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (9, 5, 1, 6, 4, 33, 33, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (10, 5, 1, 52, 18, 33, 33, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (11, 6, 3, 6, 19, 30, 30, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (12, 6, 3, 52, 32, 28, 28, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (13, 7, 1, 6, 11, 27, 27, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (14, 7, 3, 52, 9, 35, 35, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (15, 8, 3, 6, 32, 34, 34, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (16, 8, 2, 52, 7, 27, 27, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (17, 9, 2, 6, 11, 35, 35, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (18, 9, 2, 52, 27, 26, 26, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (19, 10, 3, 6, 33, 27, 27, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (20, 10, 1, 52, 5, 35, 35, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (21, 11, 2, 6, 28, 34, 34, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (22, 11, 1, 52, 6, 34, 34, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (23, 12, 1, 6, 23, 33, 33, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (24, 12, 1, 52, 6, 28, 28, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (25, 13, 2, 6, 28, 30, 30, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (26, 13, 3, 52, 27, 29, 29, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (27, 14, 1, 6, 7, 34, 34, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (28, 14, 3, 52, 17, 25, 25, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (29, 15, 3, 6, 10, 28, 28, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (30, 15, 2, 52, 30, 32, 32, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (31, 16, 1, 6, 11, 27, 27, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (32, 16, 2, 52, 30, 29, 29, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (33, 17, 3, 6, 15, 33, 33, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (34, 17, 1, 52, 17, 31, 31, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (35, 18, 2, 6, 23, 28, 28, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (36, 18, 1, 52, 32, 26, 26, NULL, 0, 1, 'root', NULL, 1795259093671094);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (37, 19, 3, 6, 9, 25, 25, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (38, 19, 1, 52, 9, 26, 26, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (39, 20, 2, 6, 24, 31, 31, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (40, 20, 3, 52, 21, 34, 34, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (41, 21, 1, 6, 27, 25, 25, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (42, 21, 2, 52, 21, 29, 29, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (43, 22, 3, 6, 25, 32, 32, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (44, 22, 3, 52, 11, 33, 33, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (45, 23, 2, 6, 14, 29, 29, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (46, 23, 2, 52, 15, 35, 35, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (47, 24, 1, 6, 16, 32, 32, NULL, 0, 1, 'root', NULL, 1795259093708618);
INSERT INTO customlabels_6d43f7cc225446ba.annotations VALUES (48, 24, 1, 52, 11, 31, 31, NULL, 0, 1, 'root', NULL, 1795259093708618);


--
-- Data for Name: counters; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

INSERT INTO customlabels_6d43f7cc225446ba.counters VALUES ('labels', 4);
INSERT INTO customlabels_6d43f7cc225446ba.counters VALUES ('images', 25);
INSERT INTO customlabels_6d43f7cc225446ba.counters VALUES ('image changes', 3);
INSERT INTO customlabels_6d43f7cc225446ba.counters VALUES ('annotations', 49);
INSERT INTO customlabels_6d43f7cc225446ba.counters VALUES ('snapshots', 2);
INSERT INTO customlabels_6d43f7cc225446ba.counters VALUES ('history', 8);


--
-- Data for Name: datasets; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

INSERT INTO customlabels_6d43f7cc225446ba.datasets VALUES ('train', 'CREATE_COMPLETE', 'The dataset is ready.', 1795259093692433, 1795259093692433, '[{"kind":"table","name":"a table of 18 images","copy":true}]', NULL);
INSERT INTO customlabels_6d43f7cc225446ba.datasets VALUES ('test', 'CREATE_COMPLETE', 'The dataset is ready.', 1795259093724370, 1795259093724370, '[{"kind":"table","name":"a table of 6 images","copy":true}]', NULL);


--
-- Data for Name: history; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

INSERT INTO customlabels_6d43f7cc225446ba.history VALUES (1, 1795259093666649, 'root', 'tag project', '', NULL, 0, '\x789cab562a494c2f56b2ca2bcdc9a9050020be04e1', '\x789cab562a494c2f56b2aa56ca4e2d2851b25232d033d43350d251cacecc4b017293f22b528b956a6b01f6e20c36', NULL, NULL);
INSERT INTO customlabels_6d43f7cc225446ba.history VALUES (2, 1795259093704136, 'root', 'import', 'a table of 18 images', 'train', 18, NULL, '\x789c5d92cdae96210c84efe55b8b96d296d65b312efa03272e34262e8df72e465dbcec48f3c03033fdf9faf2d5dfd68fd7c74fff4e1f0c40a80bf914db5ad0a631996d7afffddbdbebdd7feccc502b593807c9a6069d5c51f58959452c9963466c205d8d83a6d2ee4fcc8922cd7241a03b54b3b9d90af6134bb04c8b39c84b6479a31a0a7de0132be1a2892ca65c50ab2d834d219705caea3179518c122f6f03fa7458eb1245c0183c74e9eec8dc36afd5cbe7131b45ebe8c93284193d1aa1bab3c813d36d82db71170a5065b3e830b45f7fdb9de93c80c395f7cede4433f2d4718b46779ed3829c02eb94a567a0e30aa44e31f9477a4e55cf364539392fd1797c0a3013ee74cfd9d8c41cec6a017daf8d8812915bcc9a571a2fb9aa2fa393ab45a61fa30ccdd63a97fa15882f72190c945cc7e159a49308a2de2d28e80a8624caaed6dbd2d2e0fe77913efffa0d376bce76', '\x789c3d8f4d8e83300c85af82de6cbd9840abb65c0545c81053a181a40a615121ee5ea7a5b3b33ebd3f6f78704c0bea6d27ccec442f4cdcc9a4ac690c9dac258c33dfe500e696097b1f12a731f80357176b35e2df6abf77cb4392f811a19b5601e1a7bf9ecf9503fd5a6a4ac23d8af8cccbe132f40664945784282e5377ba758641656e9e837b37e4c18e132f9296f6b3bc418a3c7aa86a096becf3e4ed60daaf991bfe46ef50237137e5259e6735828b3728c250986b71bc4be8c3e3893ac55576fd6e7f013b0a5ea1', NULL);
INSERT INTO customlabels_6d43f7cc225446ba.history VALUES (3, 1795259093730610, 'root', 'import', 'a table of 6 images', 'test', 6, NULL, '\x789c5dca310e42310800d0bbfcd92ab4b48057310e85d21f078d89a3f1ee264687eff686f75c2ed7bec663399ebe3a2048f4c2e82c6a3a4a0ace3d2be9fe7e5b97ddaf1954cbeaa8d4386a913424580bb66d63086b0da0d46aa362a4a60e43da5f732632aa138ca54c6ea90b4e926cdba6864106734c332ccec9816494ecdb461c3ea9a24a1f796aa4e10ad43b7ddaf9f506605f47b0', '\x789c358ecb0e832010457f85dc359bbea3bf424833cad8980a1818170df1df8bdaee6ececc7d14cc9424a32dab8627c75561f4f4e2ca8c3935fa7cb3568342884232c6b0f3cb435f1b6bab67a28ea78dd9bf7ed2209c0ee2a3dbaf5bba23a1cc929f478d817016d4a71c97d46f7de54035df6a53f01e83430ba16e626804f2d506523b50715077f55baad1c7f98356d2c26b9db57e010fab47b2', NULL);
INSERT INTO customlabels_6d43f7cc225446ba.history VALUES (4, 1795259093734426, 'root', 'set instructions', '', NULL, 0, '\x789cab56cacc2b2e292a4d2ec9cccf2b56b2ca2bcdc9a905005bf50867', '\x789cab56cacc2b2e292a4d2ec9cccf2b56b2520a2e2c4d2c4a2d56c84f5328c9284a4d5548cecfc92f2d2ad653aa050075941056', NULL, NULL);
INSERT INTO customlabels_6d43f7cc225446ba.history VALUES (5, 1795259093740043, 'root', 'take snapshot', 'as imported', NULL, 24, NULL, '\x789cab562ace4b2c28cec82f51b2524a2c56c8cc2dc82f2a494d51aa0500804c0983', NULL, NULL);
INSERT INTO customlabels_6d43f7cc225446ba.history VALUES (6, 1795259093747135, 'root', 'rename label', '', NULL, 14, '\x789cab56ca494c4acd51b2522a4a4d51aa0500284904f6', '\x789c5dd03d4e04310c05e0bb4c4d58c7f12f5741144ee2ac90d8054189b83b0b4248339d8bcff2f3fbdc5ea2e7cbf6b08df7e7cbc7eb75bbdb9e2f71ce8fede1f16f3a398050150a155f36a1a833b92fba7fbb9eff174e537892228b1b4f9859d261519703a3316b574eea6d4acc280daa0664eed940c0deb859daaac85c1667d619ba67b65c7005ae89023447f15ea1593d669b68367eb0aa598ca2623c781c98de4e0a3013ae1131b4b08b07f8da338c950b11a5f7b1c4bdc41cce29b6679114d21868f0ecc3a8c02d1ca21d3ead60194deb50f3eeb395540c74f23debc01d7d5427d1bcf552a6a57aab72e84d893af182aed6964a09ab8b0cfb2f7bfafa0602089063', '\x789c458dcd0e83201084df657b9d834b6dadbe8a210d0a36262006353d10debdd09ff4f6cd6cf69b48ab0afb465d24ab066333f591466f0fb714a659133e2792a0e09fa5edcf198d2699ab875f0c7593b29b4932819cd239c784bf50fef8aea6dd84af600cb3dbfc92f5275db7032b822842e7f5fbad2886c3ad79a7eb195734b8812bf0195c832fe006dc42541042a617b7053d5a', NULL);
INSERT INTO customlabels_6d43f7cc225446ba.history VALUES (7, 1795259093753699, 'root', 'undo rename label', '', NULL, 0, NULL, '\x789cab562acd4bc94f2d56b232d351cacc4d4c0731a3636b01658f0813', '\x789c4d8e410e82301444eff2ddce82228a7015d290428b69d252d2163521dc5d2a18ddcd9fc9bc3f0b4dc2c740f5424674ca6caa59a87766b663d2a425618f8883bc7b26b739837aaf6d7023f1cdbebb51513d0813d4ca57901572bb97153f28ffea560c51f903e255c29f6451754c10f204b34e7e2aa92e451441c5d0eec444e9663b6dadba61b8a2c40d2c033b83156017b012ac429e21cfd35af5d041bbf1f8af5e93d1bd8ec7d23ffabebfe1eb1b61135629', 6);


--
-- Data for Name: images; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (2, 'train', 'images/54928dc565c346f4-014a8288.png', 'labelled', 96, 72, '54928dc565c346f49f6f1dcf58b010a4e6c28d41ca502735430f6e449627c8ce', 270, 1795259037582057133, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (3, 'train', 'images/9dbbe6737bbf048e-5b4784f1.png', 'labelled', 96, 72, '9dbbe6737bbf048ecadf910c010a179a2cc618cbc9abee29612005e006f81c7c', 279, 1795259037582437097, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (4, 'train', 'images/a44bc99ce0b2aa0d-97f59d0f.png', 'labelled', 96, 72, 'a44bc99ce0b2aa0d3ce06427a0c8280b887b11454440d7fc3ffa14ef2e65d03a', 283, 1795259037583068413, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (5, 'train', 'images/c09cc9b734ad66ea-4d380132.png', 'labelled', 96, 72, 'c09cc9b734ad66eae7015a6d51aa0fa101497a23aed664002ac87e7735135ef5', 270, 1795259037583348809, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (9, 'train', 'images/3d4e9856e9207b1b-428aa566.png', 'labelled', 96, 72, '3d4e9856e9207b1b436fec3f9532cd50af4d21ffd3ef77d4bbba77210e3f1945', 274, 1795259037584743557, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (11, 'train', 'images/f15442823a85ffc1-68cbc8d0.png', 'labelled', 96, 72, 'f15442823a85ffc11db0d5b59cacfe1aa1dd4683ec17dea2c69d1f5f4f051767', 280, 1795259037585545367, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (12, 'train', 'images/3db1a5779b4a4b2d-7981a583.png', 'labelled', 96, 72, '3db1a5779b4a4b2d178230fe09008f1c7a73c163dc56d4a7885d60f68f637a91', 276, 1795259037585872642, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (16, 'train', 'images/d943d69bcca04d50-9ee22616.png', 'labelled', 96, 72, 'd943d69bcca04d5086e846600243c11f723e8aada8357428b5ffc0878a4c72a4', 283, 1795259037587544912, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (18, 'train', 'images/c808eb50c44c1891-e8d8b511.png', 'labelled', 96, 72, 'c808eb50c44c1891dd099152d2a6c418d9867a478a65a4ff89c7798674debcb3', 284, 1795259037588075329, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (21, 'test', 'images/70eb6600355bd51e-69c0d866.png', 'labelled', 96, 72, '70eb6600355bd51e09c8da7e193622362b97d4a3dd406ad292854202d2697b61', 283, 1795259037585011935, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093725815);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (23, 'test', 'images/9b1e4b0fdfbb13c7-c048d32c.png', 'labelled', 96, 72, '9b1e4b0fdfbb13c773442dbda4c629568091f664fe9b1c811978936540a28ce4', 272, 1795259037587279489, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093725815);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (24, 'test', 'images/47ecf45198ad2f9e-dc904aa4.png', 'labelled', 96, 72, '47ecf45198ad2f9e2948bdb7e2a7db51d7a1c60d2b66a09f4336644d25643cf3', 275, 1795259037588336957, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093725815);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (1, 'train', 'images/90064164a769f8d0-795499f4.png', 'labelled', 96, 72, '90064164a769f8d0fd83123059ff2937578d09d7c8d6f2ceea07edf4f90a282c', 277, 1795259037581667515, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (6, 'train', 'images/d65d47256985d0de-e90f4b64.png', 'labelled', 96, 72, 'd65d47256985d0de46c4887c899feacddc7ca1f135d65bfe2bb81943551d347d', 271, 1795259037583623817, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (7, 'train', 'images/4cd1b75e4b3d6ada-3017a0ee.png', 'labelled', 96, 72, '4cd1b75e4b3d6adaa96ca8c4a3efc19fcbceebc4cfdebfc50d5e1726480aba34', 275, 1795259037584205089, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (8, 'train', 'images/c202b3538e8f1255-f5ee1da7.png', 'labelled', 96, 72, 'c202b3538e8f1255f36f4c13ba0220512e9909a410fa3150be7a4ad011279956', 279, 1795259037584477913, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (10, 'train', 'images/8f962fa2fd2604dc-9b103814.png', 'labelled', 96, 72, '8f962fa2fd2604dc913047b200b511fcbba90144cf89a5d39e39aa2a562beb48', 277, 1795259037585279322, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (13, 'train', 'images/dd288c8f967788ac-7685c5c4.png', 'labelled', 96, 72, 'dd288c8f967788ac4c61276b0bc1fe583a9830e7d9c4846edf176b2ee43e67d9', 280, 1795259037586476317, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (14, 'train', 'images/72b3605542fcaac7-5969a09f.png', 'labelled', 96, 72, '72b3605542fcaac704786378409346f392e9301a0d653eea83c9d40fb836cd2c', 277, 1795259037586742592, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (15, 'train', 'images/2afef2226bbcf699-adc95e68.png', 'labelled', 96, 72, '2afef2226bbcf69975d6a0a26c692bd59566fbce1b5cba058c667f72024ae862', 279, 1795259037587007275, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (17, 'train', 'images/ae4a63504c5dbc84-09b1228e.png', 'labelled', 96, 72, 'ae4a63504c5dbc84bb3d513dab36fd2b8afc1e21bb2debf10424b06a61393e32', 269, 1795259037587814672, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093694386);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (19, 'test', 'images/108ea371c789b9d3-e72a2949.png', 'labelled', 96, 72, '108ea371c789b9d3403e0a931e7099e223e80a68f65203ae0b7483d193f6baac', 269, 1795259037582776059, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093725815);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (20, 'test', 'images/b05b29c19467e538-d8e79316.png', 'labelled', 96, 72, 'b05b29c19467e53821a30a10912e896c6eb44a2ee40e02fd82eb505e75f4e3ff', 270, 1795259037583928909, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093725815);
INSERT INTO customlabels_6d43f7cc225446ba.images VALUES (22, 'test', 'images/c744b45f0b783f76-a81f482b.png', 'labelled', 96, 72, 'c744b45f0b783f760e1efeb4cc351118f33ba39d20dbe9efeb4351f2e46e66b6', 266, 1795259037586190473, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093725815);


--
-- Data for Name: import_lines; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--



--
-- Data for Name: issues; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--



--
-- Data for Name: labels; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

INSERT INTO customlabels_6d43f7cc225446ba.labels VALUES (1, 'blue', '#c8553d', 0);
INSERT INTO customlabels_6d43f7cc225446ba.labels VALUES (2, 'green', '#2f7fc1', 1);
INSERT INTO customlabels_6d43f7cc225446ba.labels VALUES (3, 'red', '#d49b1a', 2);


--
-- Data for Name: meta; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

INSERT INTO customlabels_6d43f7cc225446ba.meta VALUES ('schema_version', '2');
INSERT INTO customlabels_6d43f7cc225446ba.meta VALUES ('dtypes of own columns', '{"camera": "str"}');


--
-- Data for Name: predictions; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--



--
-- Data for Name: project; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

INSERT INTO customlabels_6d43f7cc225446ba.project VALUES (1, 'boxes', 'boxes', 'CREATED', '', 1795259093663703, 1795259093753699, '{"kept":"0.1.0","kind":"boxes"}', 'Squares of three colours.');


--
-- Data for Name: snapshots; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

INSERT INTO customlabels_6d43f7cc225446ba.snapshots VALUES (1, 'as imported', 1795259093739625, 'root', NULL, 24, 48, '\x785eed59db6e1cb911fd1561f23ab32992c54bf95764232892455981ac31e471360bc3ff9e438e6cab1b06fcb2596cb246533dddec62dd59a7baf5e930ce4feff4727875e38e37870fef1feee7f5e3c78707dc3e68b5870fb8bfbd3dd4878f76c0dcdf5a8931f4c39be3cdede1eec9ec71cdfa914773d7d927eb6baeb354a78737983cdcbfd33b9bac3e5d2f0faf6e9fe7fe2e44895d62cd4946e974ca125964f02fef1fef0ec72f6498f3a5b798620b9c069fc8b1165fca964c7aad9672c8b50ee262a75839171e6e4ba6ccb58934a3ea55a99f248f289dc696ac91b4263507d69e92e9897b28e482df92f5143b671f9394d8a9dbc98406d7b433815b773547e31a7ad2aea7402e2b99ed847af235c450ac0ce7633c8d68e6bae62d59e86c90974c3ce5eaea897d518d296dc9ca90e487fad17d22eeed84a050286ea7db7091c1c0072d712094a7545a6d08c75e28421a7396cacad57704ab60a2849d433a02d3a6e89c4bd176caa9c416db4e68869d8962643f9a6acba7284994641705afc386f73ed5da461239696f122ded42df85e157a9ad290c8d7412332c723b87a8b1a610895becb01089048f785ff6512854ac466acccd1571272bbdd4e87689e440a521bb968b54e9e164d9ab1796ad432ac5eaa539e1940da13df56259c25eb74c5653220a31d61e9d9d9234ea651fd39691be1c07d55cc2c8e9a4c50d2ebeeef64275c8351a7dd4ea02dcdbb0237af06d4bc6d9dae0e8a468f743ec04ef12ab5e83f5e6f8a52cdc1e2e4f7a8ffdfee7f9b50f97a9ce8f7ea60d17bd7c4401babd56b58759a3feca9770c9aff7fdf2161e9174fc3d0638beb5fbbbb70090dbec8fbfc798717baba8ab336e7b9c18bd04e7034519c34bc831a35a49cf285a69f866a694ad0f1e428ac2d610ef3d86c848c3f53662a9e448d95203c6b06b1ac9e71039d048c68c0a0ab60d0078d8e34bd33ec4519beb5d16f5ad25374ba720cdcc4b729e281a306e141489a9c51e7b025028b1071234e019d55250ce1da31e3375c06a18431da3021a60868282c51e972c938b9a50320066a006364a561473036c3191d756b26598e442b411c1628f599c1a43722b805ed3d63b945537400fca3accd75a50be50995c0f9ce7f6d9e3994a6a5a1a6b3020880c78c1ac366ea35b1d2d528fe6b24f5c48ab069e86ecb06e04407b73a12a794fd17913215176b02ab848d5b2028bc9399f459018c7c31e07192c0c4e93884a0718d0c1ddbb313ab4cab973ad5573f68e2c0c18347db1c74871813857446e167cd85155e052185244630f6241543dc0d657ab5cc0628f9fae57985ba3346dc31016d73ba712acb9dc0d6992a4bb11919eb032a7bc0cd962abcb80631a46c87c74022d6b0ecda5309ba08e76a9a0d94848d03252c82a6e067587bb8c64f43955aacd0d034cab944096bb20d89cb03d20bb7a330e689aba80c51e93e18802fe854966df15042141df829e29c5804d564293ce346a09a9f5b5cdf6789da1a762132618ed816b885b1ac80d576343a0636929e591910aac56929f86ecb0bc2483be4046cff081037130743b1de26346df5267d3422517e506009ea9b5c7f98aae0be9df153d079aa15a14496ade55b431484f47ec019649930b122c4c2ddaae07e82830e2a2ef5eb15b5ce95212f2115253541ec88e86d608730c8ead06b0d8f7074cc14881fcd8b222e84f6007e98c61f4d8dbe8473397d09d84912a7a22b0d8f70ede6940b121c1ee28d8720929c83a834846e8f38a9f7d4bb48cec428e8f19d45d5f81b6b6a0a13488495001692cd8191a90a3f040f768b5d194110c4d926b9aa9b5ef39c89c0d486e0d45c5b93202366d90eea95793f5080f50b4906629d5b953d1676dfa11b4d5ec7bed8859f2488a029306ead53050b6e29ca0a90a29f22ce0cd6650f7bd0a3aad527bcde635776cd69ed5b544086f42cae125220430440188098933c26c67ea6f681880283ee7a3cf843f39fa129eaf1d7ee3752e33fe4053264d7afe9d6b9ee9d3fc05cdfc9d7c268f043a401f7840d2bbcbfd3bfbc7e314066c883e0a01a78a43ba47178f2fe750ecb20b613bc70149923773815261b7a50b01959b644b973c9afced5a443452d9d231236377fc38cf32bf5d1b6175f07e23038d7b0c6947576681dfd225ce29ec74c11e813bb67499284fe7bff44b060c22d1b773787b4970f24bba4219f57e6b1b8287b78b9d5f90da4094ad1d8013095bb9c9a107ce5b3f4339a4db766d418249ccb353397f7c428b804e456f2e5a1fece63c6e5cb9797ef54541fa39fd27f349fa6e70feebb348968bdecdaab03eb4fcf1272860ffc6cbdc4cd64faf0f4ddfd993be3ebc7a7d78b071797df88c4afb73fea71f7e9c0f6f3ee3e39e3e3e9ef17a7d7f9e48f7e20b1f1de9e870000e8f0107e38838128e8ca3e0101c0e641820c54059c740e1c5e035509831d21a136c8eaeac8185005ee02e068460401006503820c3d77bfe84f9a5837bd665ea047a1cd7f3f5d9bc9b14578dbf3dfb72379f5d69be9caf2b413f2561d34050fa858ed1e3f4ff7531abd5f9fd6c6104b6b980935f16e22fcf997913689ea6f13ca7ca3c4df235856f6674fc7ab7d6cc193fafc2e43759f9b966b2f273665dcc9945b496acd312334f8bc3f56aae5e4fd7ca25710a9b7f7e6ae3bf0abb5e2dfa79856fa05f964f7973eec56791f04dc7257529b9c42cbde7edd5ea25759de6ed37adaf244b83af2b96e75e30984f17c962b0d65eb92c77adb55f9db32cbb6ab09e2e914bc9e5a8c57911af802cff7c63f0d5fd5741eb76e937994ee2979f6ffe7aa6bf3f3ffc76777e3cbcfa7468e78f8fd8ce5c8e877fe9fcafc7ab09d09ff106f474feb57f9f82e6e3f3e3b8eff6387bc0ef71818f41f55c2bcf4fdf273a3c9dcf9703e8fe79ae3f50c6f4828f98dfde2cf0a694f1528882f9fcaaf173e2a73f7ef774c854f07df3458efdaf4dbcf9fcf93f5f0b8bd4');


--
-- Data for Name: versions; Type: TABLE DATA; Schema: customlabels_6d43f7cc225446ba; Owner: -
--



--
-- Data for Name: annotations; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--

INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (1, 1, 3, 6, 19, 31, 31, '[[6.0,19.0],[37.0,19.0],[37.0,50.0],[6.0,50.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (2, 1, 2, 52, 13, 27, 27, '[[52.0,13.0],[79.0,13.0],[79.0,40.0],[52.0,40.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (3, 2, 2, 6, 26, 30, 30, '[[6.0,26.0],[36.0,26.0],[36.0,56.0],[6.0,56.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (4, 2, 2, 52, 5, 35, 35, '[[52.0,5.0],[87.0,5.0],[87.0,40.0],[52.0,40.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (5, 3, 1, 6, 7, 27, 27, '[[6.0,7.0],[33.0,7.0],[33.0,34.0],[6.0,34.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (6, 3, 2, 52, 16, 27, 27, '[[52.0,16.0],[79.0,16.0],[79.0,43.0],[52.0,43.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (7, 4, 2, 6, 30, 35, 35, '[[6.0,30.0],[41.0,30.0],[41.0,65.0],[6.0,65.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (8, 4, 1, 52, 32, 30, 30, '[[52.0,32.0],[82.0,32.0],[82.0,62.0],[52.0,62.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (9, 5, 1, 6, 4, 33, 33, '[[6.0,4.0],[39.0,4.0],[39.0,37.0],[6.0,37.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (10, 5, 1, 52, 18, 33, 33, '[[52.0,18.0],[85.0,18.0],[85.0,51.0],[52.0,51.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (11, 6, 3, 6, 19, 30, 30, '[[6.0,19.0],[36.0,19.0],[36.0,49.0],[6.0,49.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (12, 6, 3, 52, 32, 28, 28, '[[52.0,32.0],[80.0,32.0],[80.0,60.0],[52.0,60.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (13, 7, 1, 6, 11, 27, 27, '[[6.0,11.0],[33.0,11.0],[33.0,38.0],[6.0,38.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (14, 7, 3, 52, 9, 35, 35, '[[52.0,9.0],[87.0,9.0],[87.0,44.0],[52.0,44.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (15, 8, 3, 6, 32, 34, 34, '[[6.0,32.0],[40.0,32.0],[40.0,66.0],[6.0,66.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (16, 8, 2, 52, 7, 27, 27, '[[52.0,7.0],[79.0,7.0],[79.0,34.0],[52.0,34.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (17, 9, 2, 6, 11, 35, 35, '[[6.0,11.0],[41.0,11.0],[41.0,46.0],[6.0,46.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (18, 9, 2, 52, 27, 26, 26, '[[52.0,27.0],[78.0,27.0],[78.0,53.0],[52.0,53.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (19, 10, 3, 6, 33, 27, 27, '[[6.0,33.0],[33.0,33.0],[33.0,60.0],[6.0,60.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (20, 10, 1, 52, 5, 35, 35, '[[52.0,5.0],[87.0,5.0],[87.0,40.0],[52.0,40.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (21, 11, 2, 6, 28, 34, 34, '[[6.0,28.0],[40.0,28.0],[40.0,62.0],[6.0,62.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (22, 11, 1, 52, 6, 34, 34, '[[52.0,6.0],[86.0,6.0],[86.0,40.0],[52.0,40.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (23, 12, 1, 6, 23, 33, 33, '[[6.0,23.0],[39.0,23.0],[39.0,56.0],[6.0,56.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (24, 12, 1, 52, 6, 28, 28, '[[52.0,6.0],[80.0,6.0],[80.0,34.0],[52.0,34.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (25, 13, 2, 6, 28, 30, 30, '[[6.0,28.0],[36.0,28.0],[36.0,58.0],[6.0,58.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (26, 13, 3, 52, 27, 29, 29, '[[52.0,27.0],[81.0,27.0],[81.0,56.0],[52.0,56.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (27, 14, 1, 6, 7, 34, 34, '[[6.0,7.0],[40.0,7.0],[40.0,41.0],[6.0,41.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (28, 14, 3, 52, 17, 25, 25, '[[52.0,17.0],[77.0,17.0],[77.0,42.0],[52.0,42.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (29, 15, 3, 6, 10, 28, 28, '[[6.0,10.0],[34.0,10.0],[34.0,38.0],[6.0,38.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (30, 15, 2, 52, 30, 32, 32, '[[52.0,30.0],[84.0,30.0],[84.0,62.0],[52.0,62.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (31, 16, 1, 6, 11, 27, 27, '[[6.0,11.0],[33.0,11.0],[33.0,38.0],[6.0,38.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (32, 16, 2, 52, 30, 29, 29, '[[52.0,30.0],[81.0,30.0],[81.0,59.0],[52.0,59.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (33, 17, 3, 6, 15, 33, 33, '[[6.0,15.0],[39.0,15.0],[39.0,48.0],[6.0,48.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (34, 17, 1, 52, 17, 31, 31, '[[52.0,17.0],[83.0,17.0],[83.0,48.0],[52.0,48.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (35, 18, 2, 6, 23, 28, 28, '[[6.0,23.0],[34.0,23.0],[34.0,51.0],[6.0,51.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (36, 18, 1, 52, 32, 26, 26, '[[52.0,32.0],[78.0,32.0],[78.0,58.0],[52.0,58.0]]', 0, 1, 'root', NULL, 1795259093796571);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (37, 19, 3, 6, 9, 25, 25, '[[6.0,9.0],[31.0,9.0],[31.0,34.0],[6.0,34.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (38, 19, 1, 52, 9, 26, 26, '[[52.0,9.0],[78.0,9.0],[78.0,35.0],[52.0,35.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (39, 20, 2, 6, 24, 31, 31, '[[6.0,24.0],[37.0,24.0],[37.0,55.0],[6.0,55.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (40, 20, 3, 52, 21, 34, 34, '[[52.0,21.0],[86.0,21.0],[86.0,55.0],[52.0,55.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (41, 21, 1, 6, 27, 25, 25, '[[6.0,27.0],[31.0,27.0],[31.0,52.0],[6.0,52.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (42, 21, 2, 52, 21, 29, 29, '[[52.0,21.0],[81.0,21.0],[81.0,50.0],[52.0,50.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (43, 22, 3, 6, 25, 32, 32, '[[6.0,25.0],[38.0,25.0],[38.0,57.0],[6.0,57.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (44, 22, 3, 52, 11, 33, 33, '[[52.0,11.0],[85.0,11.0],[85.0,44.0],[52.0,44.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (45, 23, 2, 6, 14, 29, 29, '[[6.0,14.0],[35.0,14.0],[35.0,43.0],[6.0,43.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (46, 23, 2, 52, 15, 35, 35, '[[52.0,15.0],[87.0,15.0],[87.0,50.0],[52.0,50.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (47, 24, 1, 6, 16, 32, 32, '[[6.0,16.0],[38.0,16.0],[38.0,48.0],[6.0,48.0]]', 0, 1, 'root', NULL, 1795259093834157);
INSERT INTO customlabels_97b947b97bce426c.annotations VALUES (48, 24, 1, 52, 11, 31, 31, '[[52.0,11.0],[83.0,11.0],[83.0,42.0],[52.0,42.0]]', 0, 1, 'root', NULL, 1795259093834157);


--
-- Data for Name: counters; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--

INSERT INTO customlabels_97b947b97bce426c.counters VALUES ('labels', 4);
INSERT INTO customlabels_97b947b97bce426c.counters VALUES ('images', 25);
INSERT INTO customlabels_97b947b97bce426c.counters VALUES ('image changes', 3);
INSERT INTO customlabels_97b947b97bce426c.counters VALUES ('annotations', 49);
INSERT INTO customlabels_97b947b97bce426c.counters VALUES ('snapshots', 2);
INSERT INTO customlabels_97b947b97bce426c.counters VALUES ('history', 8);


--
-- Data for Name: datasets; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--

INSERT INTO customlabels_97b947b97bce426c.datasets VALUES ('train', 'CREATE_COMPLETE', 'The dataset is ready.', 1795259093817898, 1795259093817898, '[{"kind":"table","name":"a table of 18 images","copy":true}]', NULL);
INSERT INTO customlabels_97b947b97bce426c.datasets VALUES ('test', 'CREATE_COMPLETE', 'The dataset is ready.', 1795259093849843, 1795259093849843, '[{"kind":"table","name":"a table of 6 images","copy":true}]', NULL);


--
-- Data for Name: history; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--

INSERT INTO customlabels_97b947b97bce426c.history VALUES (1, 1795259093791931, 'root', 'tag project', '', NULL, 0, '\x789cab562a494c2f56b2ca2bcdc9a9050020be04e1', '\x789cab562a494c2f56b2aa56ca4e2d2851b25232d033d43350d251cacecc4b01720bf2732ad3f3f38a956a6b011f450d90', NULL, NULL);
INSERT INTO customlabels_97b947b97bce426c.history VALUES (2, 1795259093829742, 'root', 'import', 'a table of 18 images', 'train', 18, NULL, '\x789c5d92cdae96210c84efe55b8b96d296d65b312efa03272e34262e8df72e465dbcec48f3c03033fdf9faf2d5dfd68fd7c74fff4e1f0c40a80bf914db5ad0a631996d7afffddbdbebdd7feccc502b593807c9a6069d5c51f58959452c9963466c205d8d83a6d2ee4fcc8922cd7241a03b54b3b9d90af6134bb04c8b39c84b6479a31a0a7de0132be1a2892ca65c50ab2d834d219705caea3179518c122f6f03fa7458eb1245c0183c74e9eec8dc36afd5cbe7131b45ebe8c93284193d1aa1bab3c813d36d82db71170a5065b3e830b45f7fdb9de93c80c395f7cede4433f2d4718b46779ed3829c02eb94a567a0e30aa44e31f9477a4e55cf364539392fd1797c0a3013ee74cfd9d8c41cec6a017daf8d8812915bcc9a571a2fb9aa2fa393ab45a61fa30ccdd63a97fa15882f72190c945cc7e159a49308a2de2d28e80a8624caaed6dbd2d2e0fe77913efffa0d376bce76', '\x789c3d8f4d8e83300c85af82de6cbd9840abb65c0545c81053a181a40a615121ee5ea7a5b3b33ebd3f6f78704c0bea6d27ccec442f4cdcc9a4ac690c9dac258c33dfe500e696097b1f12a731f80357176b35e2df6abf77cb4392f811a19b5601e1a7bf9ecf9503fd5a6a4ac23d8af8cccbe132f40664945784282e5377ba758641656e9e837b37e4c18e132f9296f6b3bc418a3c7aa86a096becf3e4ed60daaf991bfe46ef50237137e5259e6735828b3728c250986b71bc4be8c3e3893ac55576fd6e7f013b0a5ea1', NULL);
INSERT INTO customlabels_97b947b97bce426c.history VALUES (3, 1795259093856370, 'root', 'import', 'a table of 6 images', 'test', 6, NULL, '\x789c5dca310e42310800d0bbfcd92ab4b48057310e85d21f078d89a3f1ee264687eff686f75c2ed7bec663399ebe3a2048f4c2e82c6a3a4a0ace3d2be9fe7e5b97ddaf1954cbeaa8d4386a913424580bb66d63086b0da0d46aa362a4a60e43da5f732632aa138ca54c6ea90b4e926cdba6864106734c332ccec9816494ecdb461c3ea9a24a1f796aa4e10ad43b7ddaf9f506605f47b0', '\x789c358ecb0e832010457f85dc359bbea3bf424833cad8980a1818170df1df8bdaee6ececc7d14cc9424a32dab8627c75561f4f4e2ca8c3935fa7cb3568342884232c6b0f3cb435f1b6bab67a28ea78dd9bf7ed2209c0ee2a3dbaf5bba23a1cc929f478d817016d4a71c97d46f7de54035df6a53f01e83430ba16e626804f2d506523b50715077f55baad1c7f98356d2c26b9db57e010fab47b2', NULL);
INSERT INTO customlabels_97b947b97bce426c.history VALUES (4, 1795259093860199, 'root', 'set instructions', '', NULL, 0, '\x789cab56cacc2b2e292a4d2ec9cccf2b56b2ca2bcdc9a905005bf50867', '\x789cab56cacc2b2e292a4d2ec9cccf2b56b2520a2e2c4d2c4a2d56c84f5328c9284a4d5548cecfc92f2d2ad653aa050075941056', NULL, NULL);
INSERT INTO customlabels_97b947b97bce426c.history VALUES (5, 1795259093865756, 'root', 'take snapshot', 'as imported', NULL, 24, NULL, '\x789cab562ace4b2c28cec82f51b2524a2c56c8cc2dc82f2a494d51aa0500804c0983', NULL, NULL);
INSERT INTO customlabels_97b947b97bce426c.history VALUES (6, 1795259093872784, 'root', 'rename label', '', NULL, 14, '\x789cab56ca494c4acd51b2522a4a4d51aa0500284904f6', '\x789c5dd03d4e04310c05e0bb4c4d58c7f12f5741144ee2ac90d8054189b83b0b4248339d8bcff2f3fbdc5ea2e7cbf6b08df7e7cbc7eb75bbdb9e2f71ce8fede1f16f3a398050150a155f36a1a833b92fba7fbb9eff174e537892228b1b4f9859d261519703a3316b574eea6d4acc280daa0664eed940c0deb859daaac85c1667d619ba67b65c7005ae89023447f15ea1593d669b68367eb0aa598ca2623c781c98de4e0a3013ae1131b4b08b07f8da338c950b11a5f7b1c4bdc41cce29b6679114d21868f0ecc3a8c02d1ca21d3ead60194deb50f3eeb395540c74f23debc01d7d5427d1bcf552a6a57aab72e84d893af182aed6964a09ab8b0cfb2f7bfafa0602089063', '\x789c458dcd0e83201084df657b9d834b6dadbe8a210d0a36262006353d10debdd09ff4f6cd6cf69b48ab0afb465d24ab066333f591466f0fb714a659133e2792a0e09fa5edcf198d2699ab875f0c7593b29b4932819cd239c784bf50fef8aea6dd84af600cb3dbfc92f5275db7032b822842e7f5fbad2886c3ad79a7eb195734b8812bf0195c832fe006dc42541042a617b7053d5a', NULL);
INSERT INTO customlabels_97b947b97bce426c.history VALUES (7, 1795259093879185, 'root', 'undo rename label', '', NULL, 0, NULL, '\x789cab562acd4bc94f2d56b232d351cacc4d4c0731a3636b01658f0813', '\x789c4d8e410e82301444eff2ddce82228a7015d290428b69d252d2163521dc5d2a18ddcd9fc9bc3f0b4dc2c740f5424674ca6caa59a87766b663d2a425618f8883bc7b26b739837aaf6d7023f1cdbebb51513d0813d4ca57901572bb97153f28ffea560c51f903e255c29f6451754c10f204b34e7e2aa92e451441c5d0eec444e9663b6dadba61b8a2c40d2c033b83156017b012ac429e21cfd35af5d041bbf1f8af5e93d1bd8ec7d23ffabebfe1eb1b61135629', 6);


--
-- Data for Name: images; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--

INSERT INTO customlabels_97b947b97bce426c.images VALUES (2, 'train', 'images/54928dc565c346f4-014a8288.png', 'labelled', 96, 72, '54928dc565c346f49f6f1dcf58b010a4e6c28d41ca502735430f6e449627c8ce', 270, 1795259037582057133, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (3, 'train', 'images/9dbbe6737bbf048e-5b4784f1.png', 'labelled', 96, 72, '9dbbe6737bbf048ecadf910c010a179a2cc618cbc9abee29612005e006f81c7c', 279, 1795259037582437097, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (4, 'train', 'images/a44bc99ce0b2aa0d-97f59d0f.png', 'labelled', 96, 72, 'a44bc99ce0b2aa0d3ce06427a0c8280b887b11454440d7fc3ffa14ef2e65d03a', 283, 1795259037583068413, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (5, 'train', 'images/c09cc9b734ad66ea-4d380132.png', 'labelled', 96, 72, 'c09cc9b734ad66eae7015a6d51aa0fa101497a23aed664002ac87e7735135ef5', 270, 1795259037583348809, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (9, 'train', 'images/3d4e9856e9207b1b-428aa566.png', 'labelled', 96, 72, '3d4e9856e9207b1b436fec3f9532cd50af4d21ffd3ef77d4bbba77210e3f1945', 274, 1795259037584743557, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (11, 'train', 'images/f15442823a85ffc1-68cbc8d0.png', 'labelled', 96, 72, 'f15442823a85ffc11db0d5b59cacfe1aa1dd4683ec17dea2c69d1f5f4f051767', 280, 1795259037585545367, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (12, 'train', 'images/3db1a5779b4a4b2d-7981a583.png', 'labelled', 96, 72, '3db1a5779b4a4b2d178230fe09008f1c7a73c163dc56d4a7885d60f68f637a91', 276, 1795259037585872642, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (16, 'train', 'images/d943d69bcca04d50-9ee22616.png', 'labelled', 96, 72, 'd943d69bcca04d5086e846600243c11f723e8aada8357428b5ffc0878a4c72a4', 283, 1795259037587544912, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (18, 'train', 'images/c808eb50c44c1891-e8d8b511.png', 'labelled', 96, 72, 'c808eb50c44c1891dd099152d2a6c418d9867a478a65a4ff89c7798674debcb3', 284, 1795259037588075329, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (21, 'test', 'images/70eb6600355bd51e-69c0d866.png', 'labelled', 96, 72, '70eb6600355bd51e09c8da7e193622362b97d4a3dd406ad292854202d2697b61', 283, 1795259037585011935, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093851314);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (23, 'test', 'images/9b1e4b0fdfbb13c7-c048d32c.png', 'labelled', 96, 72, '9b1e4b0fdfbb13c773442dbda4c629568091f664fe9b1c811978936540a28ce4', 272, 1795259037587279489, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093851314);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (24, 'test', 'images/47ecf45198ad2f9e-dc904aa4.png', 'labelled', 96, 72, '47ecf45198ad2f9e2948bdb7e2a7db51d7a1c60d2b66a09f4336644d25643cf3', 275, 1795259037588336957, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093851314);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (1, 'train', 'images/90064164a769f8d0-795499f4.png', 'labelled', 96, 72, '90064164a769f8d0fd83123059ff2937578d09d7c8d6f2ceea07edf4f90a282c', 277, 1795259037581667515, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (6, 'train', 'images/d65d47256985d0de-e90f4b64.png', 'labelled', 96, 72, 'd65d47256985d0de46c4887c899feacddc7ca1f135d65bfe2bb81943551d347d', 271, 1795259037583623817, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (7, 'train', 'images/4cd1b75e4b3d6ada-3017a0ee.png', 'labelled', 96, 72, '4cd1b75e4b3d6adaa96ca8c4a3efc19fcbceebc4cfdebfc50d5e1726480aba34', 275, 1795259037584205089, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (8, 'train', 'images/c202b3538e8f1255-f5ee1da7.png', 'labelled', 96, 72, 'c202b3538e8f1255f36f4c13ba0220512e9909a410fa3150be7a4ad011279956', 279, 1795259037584477913, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (10, 'train', 'images/8f962fa2fd2604dc-9b103814.png', 'labelled', 96, 72, '8f962fa2fd2604dc913047b200b511fcbba90144cf89a5d39e39aa2a562beb48', 277, 1795259037585279322, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (13, 'train', 'images/dd288c8f967788ac-7685c5c4.png', 'labelled', 96, 72, 'dd288c8f967788ac4c61276b0bc1fe583a9830e7d9c4846edf176b2ee43e67d9', 280, 1795259037586476317, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (14, 'train', 'images/72b3605542fcaac7-5969a09f.png', 'labelled', 96, 72, '72b3605542fcaac704786378409346f392e9301a0d653eea83c9d40fb836cd2c', 277, 1795259037586742592, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (15, 'train', 'images/2afef2226bbcf699-adc95e68.png', 'labelled', 96, 72, '2afef2226bbcf69975d6a0a26c692bd59566fbce1b5cba058c667f72024ae862', 279, 1795259037587007275, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (17, 'train', 'images/ae4a63504c5dbc84-09b1228e.png', 'labelled', 96, 72, 'ae4a63504c5dbc84bb3d513dab36fd2b8afc1e21bb2debf10424b06a61393e32', 269, 1795259037587814672, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093819803);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (19, 'test', 'images/108ea371c789b9d3-e72a2949.png', 'labelled', 96, 72, '108ea371c789b9d3403e0a931e7099e223e80a68f65203ae0b7483d193f6baac', 269, 1795259037582776059, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093851314);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (20, 'test', 'images/b05b29c19467e538-d8e79316.png', 'labelled', 96, 72, 'b05b29c19467e53821a30a10912e896c6eb44a2ee40e02fd82eb505e75f4e3ff', 270, 1795259037583928909, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093851314);
INSERT INTO customlabels_97b947b97bce426c.images VALUES (22, 'test', 'images/c744b45f0b783f76-a81f482b.png', 'labelled', 96, 72, 'c744b45f0b783f760e1efeb4cc351118f33ba39d20dbe9efeb4351f2e46e66b6', 266, 1795259037586190473, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093851314);


--
-- Data for Name: import_lines; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--



--
-- Data for Name: issues; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--



--
-- Data for Name: labels; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--

INSERT INTO customlabels_97b947b97bce426c.labels VALUES (1, 'blue', '#c8553d', 0);
INSERT INTO customlabels_97b947b97bce426c.labels VALUES (2, 'green', '#2f7fc1', 1);
INSERT INTO customlabels_97b947b97bce426c.labels VALUES (3, 'red', '#d49b1a', 2);


--
-- Data for Name: meta; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--

INSERT INTO customlabels_97b947b97bce426c.meta VALUES ('schema_version', '2');
INSERT INTO customlabels_97b947b97bce426c.meta VALUES ('dtypes of own columns', '{"camera": "str"}');


--
-- Data for Name: predictions; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--



--
-- Data for Name: project; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--

INSERT INTO customlabels_97b947b97bce426c.project VALUES (1, 'polygons', 'polygons', 'CREATED', '', 1795259093788543, 1795259093879185, '{"kept":"0.1.0","kind":"polygons"}', 'Squares of three colours.');


--
-- Data for Name: snapshots; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--

INSERT INTO customlabels_97b947b97bce426c.snapshots VALUES (1, 'as imported', 1795259093865331, 'root', NULL, 24, 48, '\x785eed5ae96edcc8117e1561f27766d3f7e1579185a04f5981ac31e471360bc3ef9eafaa494d932b683780136cb206294e4db3baabebfc8a1c7d3df4f3f3c77439bcbb91c79bc3e74f8f0f443f7d797cc4d7c794dbe3677cbfbd3de4c72fed80b1bf9460adae87bbe3cdede1feb9b5271e55ddf722c7e873ab3c564dcc321dee307878f898ee1b2df575908777b7cbd85fa310ce48679277b1872a4e3e5a1363373f7d7aba3f1c57368ca9508b75b668e3ba3909695250216cd962cdb939af7dce5d98d04e361b1f4c975bb6644c2e319626b24a49d453f4ddc62afa96ad88584acc5e9b549d6be964aa0e426ab565abce56e3957531d82a6a3bb528bac96ea7822955666f9bc9baba54d3490be993686d27540995b5d5a1852e95b5a76e5b9335f92d9baea6419e6b51099f653e191552b2ce6dd9428f4ef5a47a554e985a4e708ad041eef6d6a5355840e9146c872b4f2e945ce08ebd50b8d47a1fb34926ab0a67050c04bd334885630a89f63e84544ede055b6cd909f5d0d3096b8dea25a5e24f36ba9844dc7941a5deba52cae55cba8bf1946a89b6b99deb6b34b06bcca524286ac529b68649726790d44c72da0a536c858608245844a9b0f74210a1652b8a314586284f2dd490addc05920457d25e161f628e559f9a57494513b706c9c266158b8cc6f906d79e6a683eeafddebc68d93921b4b5b95ad94e2e1651c3dea7c5237c8ded22fba0bb77a714643741e55d2e64895813bdf69ca586790b32a26a55b66cc6b7d28d9531a4aa7a6c275857989486b3ee8e6b59b83d5c9ed303f2fd8ff3d93e5f683bbff5413a5cd2e50b0ad0eda86a8f54a3fecc244cf2f343bd7c8045a23b7e8f132b7e680ff71f0020b75e1dbfc7497efb905057c96f7b9ce83568a9b4b0b17715b5b71ed52a568fa2e5ba2aad25e15beda6479150d80afcbdc790d85d97b5741bb2902299e60a30c6c892ac505e5ba34577cd1854502c5b0080873dbe94547b94a2d07ce96352a53849a53322cc9a8a4e2a216c03c6f5802241bbd8638f060a39a38004057826720828e7d2a01e1b5101abbaf7240d2a6003cc089db0c41e979a17d226879201300337b031fa8462de005b4608954af0cd4325a96deb164bec31cbb86220b904406f4ba5566c36c90e7e70e6de54ce01e50b9549566d3ca5cf1ecf5274258562926e4090d86185d67231a5d7967bb1a2da26bd722688949336a4c80eebba06b417a973124a092b558b51c46424b4d2d28adc7c02160b29958f1181713cec71d0608906a3458b4a071848dd54257bafd895f7d5e49c93f74a8aa63b14225bec31324a2d8ccff01c157ce891538449a14888c9561d9b8e292980adca2d9b8025f6f8296b86bad9c6924a6f708bacd5b8a05b91be3684898b55768bf08496de7956648badd2038e456f02918f4ea0f8e475914e531354d12e05341b0e011abad33e45494edde1ae41302aefb2c845f606984e3168d17c8d70b671480fc8ceaa35a3d134d58825f6980c4304ac1f8c88d477e90897a06f41cfe4ac4692055d6235a2e7a05da99c667bbcf6d86742123a28ad806bf09beb880d996d81a36d28cef9ee110a26b5e01429b2c3f2e01af60b645406369060d60ddd4e8578ebd1b7646a5a44f021990200a6d0dae37c46d785f0af093d079aa11c1282b42999d1c6203ca5300a60e992933aeaa6691765d70354149828adaa2a215b64a83138c423a43a9b4c477414b446183358b1648d25f6fd8111ba8904e447cac688fe047a88443eb40ab98d7ed49ba0ab8cbabb8c9e084bec7b07259346b11111d91190720e216812395134813e2f28ea5b6cf3882ec47827a7eefa0ab4b5010d658318872d208c23322369c4282c50155a6d3465028abae8b3a3d0daf71ca2c9d621b91414152943d7485a1dab1235b7c8b77003450b61e65ca64c459fb5e947d0561b557385cf9c425004a8d451af7a03670952463455da594305bc3472eabe5741a71572cdbea9e42b92b5fa248b1370af43c8e121426b2c8802601d02a76b6a67f22f68188028cafba3f2027ff1a8825e68894f3bc6bcc11f7802f1b8e593e62cfc8e3ec1439fb40eade1c007e8c31a90f4f1f2f0b1fded8984011bacb25100a78244b85b698ff3188a9d975a6fc78c4690f8cd98162e18b9e5d31a955bc42d9f5368f2b773e1512bc296cf1844ec6e3de3a9cc6fe75a68ad95dac840e36eb5dbf1052af05b3e67bcd3bbbd2047608e2d9f17c293f167bb78c020027d3b86a7170723cf7c4178d4fbad6e701e9e2e767641680351b67a004ea2deca75123db0dfda199b43b86de7060458b49e3a95f39767b408e854d2cd25e5c77673ee3732dc2c8fbe28483f86ff603671af3ae73f3e8a60b9a47baa0afca2e5bf7fc106da3ff13047c1faf5fda1a48fed39bd3fbc7b7f786cfdf2fef00d95f6c7f80f3bfc763cdc7dc3cbbdf4f474c6e3f5c399906e7ac3278ee22871000e8f1a87c16171381c1e47c0117148b0e1042b4e94759c28bc380d9f28cc381d9f04364719f8c444002f70172784e084209c40618d08e7e77c8279de835cf6427b023f8e711df7e81b718c1d5fefaddfe8dee059af6326f84912920682dc4fe268152eff5f0455abf3276a612274931a17c51ae2cfd3087dd1822ea4bca1a1401762e721bc3313c7976f3c874614519ad6a3a514cda1a5148d304123ccc453f8c262e8c22b0c8a66f35d9ec9124918fd29da8d7a113628e6270aef40d7e9248fc6a6d722faba4796ca9b6431bc6ffa3ab466a97ca1afd75d0f16dec1cb0cb6dcb400dd65165e80e78e55d85c3cf7c538acd9d801df6591bc493614afccccec10b6cf758117f30f41fc95f7478b12f3fcfae6cfa7faa7f3e32ff7e72702c45b4e648adebbe3ade6a89b680bef609c1380c83b40e5ed2da73da5066ef9354d56da8c29ccc3f498c3fec285a4ec693bc6590a919314380d7702ed6b22df90014e12416e9f480a8d450293b31e43f8d063a2cdd06fe841f4550f8a59dc326b52aeb41b5b243d989ca450e091221c7f13ed063d0a29d1572963cb9af63591e4a2551322674d90182483337ea22dc7fb90c1f455c6eaeb390688c60bfd550a93af68b296409248b49bfccef424656c809d32cacea0f5d8242730919394219ffd3e91661862f8e4ea475e601892226343e3c784179fec626b58921d3f914ba8b08c2956ae2573f87dd183697395c1e4a407153012b216f795b65374313d45d7b8f55268577a313047d72e17ffed2ca11aba5a6ba697706419d7685c619e3cc2b786733850dec8f6450f46a6897e23db9785399c860c76e7e4f59d4796bd8f8a327462da5e238bc95f7b24ac784752885eb635b2e4ea455a6df890436b22c9f54bf4323967e2e2f515c9c9eb449b29db999e72641892318c707fa5dfc891a50c0506d43185e9376aca9c7dbf3313d795a76237ec35f272d8eb5a23384f463c72e99a6973f50a93bfb6187e591ddd0de942f4326564fc750efb7b892946fd895eca1d87c1ce2f4b91e06c9ce9255c862e5b290b182e3d1d69b5b61a6be5dae1c998c0222692ba8fd55a4c4fa8b854776e7526da5ed184c9398647e871065297b7d2cb94a1c74eca828653d8b326c4bb68c2e42b5278ca2285a74c393f7505bc99c5f35cee26da5e518bc9d9f3cbca6b9f4aba10fd46ada74e963cc153267a816cae4bd79a3aba95a944cef41bba2ccd0025e0da1830fd56142fba4c4037a2f8d7798f06b43c9f7fae87775f0fe5fce5098f54261c0fff48f49f27efc437dc3e3ff587da9ee82ddb6b3c9005aee569f4fcfc3ad3e1f97cbe1cc0f7f7737e9d83dec790b4e7962ef899f8faee163f324687d7b42f2f0f7f0cfcb0c7770f87a08d9c5ebe47fdbf3670f7eddbbf0019459bc1');


--
-- Data for Name: versions; Type: TABLE DATA; Schema: customlabels_97b947b97bce426c; Owner: -
--



--
-- Data for Name: annotations; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--

INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (1, 1, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (2, 1, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (3, 2, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (4, 3, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (5, 3, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (6, 4, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (7, 4, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (8, 5, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (9, 6, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (10, 7, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (11, 7, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (12, 8, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (13, 8, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (14, 9, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (15, 10, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (16, 10, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (17, 11, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (18, 11, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (19, 12, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (20, 13, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (21, 13, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (22, 14, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (23, 14, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (24, 15, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (25, 15, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (26, 16, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (27, 16, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (28, 17, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (29, 17, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (30, 18, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (31, 18, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093540740);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (32, 19, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093582938);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (33, 19, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093582938);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (34, 20, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093582938);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (35, 20, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093582938);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (36, 21, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093582938);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (37, 21, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093582938);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (38, 22, 3, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093582938);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (39, 23, 2, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093582938);
INSERT INTO customlabels_d0c86b72de954505.annotations VALUES (40, 24, 1, NULL, NULL, NULL, NULL, NULL, 0, 1, 'root', NULL, 1795259093582938);


--
-- Data for Name: counters; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--

INSERT INTO customlabels_d0c86b72de954505.counters VALUES ('labels', 4);
INSERT INTO customlabels_d0c86b72de954505.counters VALUES ('images', 25);
INSERT INTO customlabels_d0c86b72de954505.counters VALUES ('image changes', 3);
INSERT INTO customlabels_d0c86b72de954505.counters VALUES ('annotations', 41);
INSERT INTO customlabels_d0c86b72de954505.counters VALUES ('snapshots', 2);
INSERT INTO customlabels_d0c86b72de954505.counters VALUES ('history', 8);


--
-- Data for Name: datasets; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--

INSERT INTO customlabels_d0c86b72de954505.datasets VALUES ('train', 'CREATE_COMPLETE', 'The dataset is ready.', 1795259093565172, 1795259093565172, '[{"kind":"table","name":"a table of 18 images","copy":true}]', NULL);
INSERT INTO customlabels_d0c86b72de954505.datasets VALUES ('test', 'CREATE_COMPLETE', 'The dataset is ready.', 1795259093599706, 1795259093599706, '[{"kind":"table","name":"a table of 6 images","copy":true}]', NULL);


--
-- Data for Name: history; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--

INSERT INTO customlabels_d0c86b72de954505.history VALUES (1, 1795259093536229, 'root', 'tag project', '', NULL, 0, '\x789cab562a494c2f56b2ca2bcdc9a9050020be04e1', '\x789cab562a494c2f56b2aa56ca4e2d2851b25232d033d43350d251cacecc4b0172734b734a32757312935273946a6b0147b70e6d', NULL, NULL);
INSERT INTO customlabels_d0c86b72de954505.history VALUES (2, 1795259093578180, 'root', 'import', 'a table of 18 images', 'train', 18, NULL, '\x789c5d92cdae96210c84efe55b8b96d296d65b312efa03272e34262e8df72e465dbcec48f3c03033fdf9faf2d5dfd68fd7c74fff4e1f0c40a80bf914db5ad0a631996d7afffddbdbebdd7feccc502b593807c9a6069d5c51f58959452c9963466c205d8d83a6d2ee4fcc8922cd7241a03b54b3b9d90af6134bb04c8b39c84b6479a31a0a7de0132be1a2892ca65c50ab2d834d219705caea3179518c122f6f03fa7458eb1245c0183c74e9eec8dc36afd5cbe7131b45ebe8c93284193d1aa1bab3c813d36d82db71170a5065b3e830b45f7fdb9de93c80c395f7cede4433f2d4718b46779ed3829c02eb94a567a0e30aa44e31f9477a4e55cf364539392fd1797c0a3013ee74cfd9d8c41cec6a017daf8d8812915bcc9a571a2fb9aa2fa393ab45a61fa30ccdd63a97fa15882f72190c945cc7e159a49308a2de2d28e80a8624caaed6dbd2d2e0fe77913efffa0d376bce76', '\x789c3d8fcdae823010855f851cb7b3b0a0517915d298810e8608ad29c3e286f0eeb7557437f972fe66c58ba3cea8d78d30b1937461e456c6c49ac6d0c95ac230f14376606e99b0f7415987e0775c95d6a6889fd57eef3bf72af123423b2e02c2a1bb9ecf95031d2d3525e111457ce6657fe93b0332895784282e5377bab58641656e9e827b37e4c18e9567d1f9fe59de40230f1e493587257679f2bab3d49f32573c07ef5043b91df312cf5332828b3728425f986bb1bf4be8c2eb0fb5c645b6f4ddf60f369b5e9c', NULL);
INSERT INTO customlabels_d0c86b72de954505.history VALUES (3, 1795259093606032, 'root', 'import', 'a table of 6 images', 'test', 6, NULL, '\x789c5dca310e42310800d0bbfcd92ab4b48057310e85d21f078d89a3f1ee264687eff686f75c2ed7bec663399ebe3a2048f4c2e82c6a3a4a0ace3d2be9fe7e5b97ddaf1954cbeaa8d4386a913424580bb66d63086b0da0d46aa362a4a60e43da5f732632aa138ca54c6ea90b4e926cdba6864106734c332ccec9816494ecdb461c3ea9a24a1f796aa4e10ad43b7ddaf9f506605f47b0', '\x789c358ecb0a833010457f25dc7536da07d45f09a18c662c529348322e4af0df1bb5dd5dcecc7d142c9424a32b9b8627c75561f2f4e2ca8c691ebabd59ab41214421996238f8a5d5d7c6daea99a9e77967f6af9f340aa793f8e88eeb9eee4828b3e4e75963209c05f529c7350d7b5f3951cdb7da14bca7e0d041a89f191a817cb581d401541cd55dfd966a0c71f9a093b4f256676d5f07b047a5', NULL);
INSERT INTO customlabels_d0c86b72de954505.history VALUES (4, 1795259093610070, 'root', 'set instructions', '', NULL, 0, '\x789cab56cacc2b2e292a4d2ec9cccf2b56b2ca2bcdc9a905005bf50867', '\x789cab56cacc2b2e292a4d2ec9cccf2b56b2520a2e2c4d2c4a2d56c84f5328c9284a4d5548cecfc92f2d2ad653aa050075941056', NULL, NULL);
INSERT INTO customlabels_d0c86b72de954505.history VALUES (5, 1795259093615600, 'root', 'take snapshot', 'as imported', NULL, 24, NULL, '\x789cab562ace4b2c28cec82f51b2524a2c56c8cc2dc82f2a494d51aa0500804c0983', NULL, NULL);
INSERT INTO customlabels_d0c86b72de954505.history VALUES (6, 1795259093622746, 'root', 'rename label', '', NULL, 12, '\x789cab56ca494c4acd51b2522a4a4d51aa0500284904f6', '\x789c5dd03d4e04310c05e0bb4c4d58c7f12f5741144ee2ac90d8054189b83b0b4248339d8bcff2f3fbdc5ea2e7cbf6b08df7e7cbc7eb75bbdb9e2f71ce8fede1f16f3a398050150a155f36a1a833b92fba7fbb9eff174e537892228b1b4f9859d261519703a3316b574eea6d4acc280daa0664eed940c0deb859daaac85c1667d619ba67b65c7005ae89023447f15ea1593d669b68367eb0aa598ca2623c781c98de4e0a3013ae1131b4b08b07f8da338c950b11a5f7b1c4bdc41cce29b6679114d21868f0ecc3a8c02d1ca21d3ead60194deb50f3eeb395540c74f23debc01d7d5427d1bcf552a6a57aab72e84d893af182aed6964a09ab8b0cfb2f7bfafa0602089063', '\x789c458dcd0e83201084df657b9d834b6dadbe8a210d0a36262006353d10debdd09ff4f6cd6cf69b48ab0afb465d24ab066333f591466f0fb714a659133e2792a0e09fa5edcf198d2699ab875f0c7593b29b4932819cd239c784bf50fef8aea6dd84af600cb3dbfc92f5275db7032b822842e7f5fbad2886c3ad79a7eb195734b8812bf0195c832fe006dc42541042a617b7053d5a', NULL);
INSERT INTO customlabels_d0c86b72de954505.history VALUES (7, 1795259093629621, 'root', 'undo rename label', '', NULL, 0, NULL, '\x789cab562acd4bc94f2d56b232d351cacc4d4c0731a3636b01658f0813', '\x789c4d8e410e82301444eff2ddce82228a7015d290428b69d252d2163521dc5d2a18ddcd9fc9bc3f0b4dc2c740f5424674ca6caa59a87766b663d2a425618f8883bc7b26b739837aaf6d7023f1cdbebb51513d0813d4ca57901572bb97153f28ffea560c51f903e255c29f6451754c10f204b34e7e2aa92e451441c5d0eec444e9663b6dadba61b8a2c40d2c033b83156017b012ac429e21cfd35af5d041bbf1f8af5e93d1bd8ec7d23ffabebfe1eb1b61135629', 6);


--
-- Data for Name: images; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--

INSERT INTO customlabels_d0c86b72de954505.images VALUES (2, 'train', 'images/54928dc565c346f4-014a8288.png', 'labelled', 96, 72, '54928dc565c346f49f6f1dcf58b010a4e6c28d41ca502735430f6e449627c8ce', 270, 1795259037582057133, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (3, 'train', 'images/9dbbe6737bbf048e-5b4784f1.png', 'labelled', 96, 72, '9dbbe6737bbf048ecadf910c010a179a2cc618cbc9abee29612005e006f81c7c', 279, 1795259037582437097, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (4, 'train', 'images/a44bc99ce0b2aa0d-97f59d0f.png', 'labelled', 96, 72, 'a44bc99ce0b2aa0d3ce06427a0c8280b887b11454440d7fc3ffa14ef2e65d03a', 283, 1795259037583068413, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (5, 'train', 'images/c09cc9b734ad66ea-4d380132.png', 'labelled', 96, 72, 'c09cc9b734ad66eae7015a6d51aa0fa101497a23aed664002ac87e7735135ef5', 270, 1795259037583348809, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (9, 'train', 'images/3d4e9856e9207b1b-428aa566.png', 'labelled', 96, 72, '3d4e9856e9207b1b436fec3f9532cd50af4d21ffd3ef77d4bbba77210e3f1945', 274, 1795259037584743557, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (11, 'train', 'images/f15442823a85ffc1-68cbc8d0.png', 'labelled', 96, 72, 'f15442823a85ffc11db0d5b59cacfe1aa1dd4683ec17dea2c69d1f5f4f051767', 280, 1795259037585545367, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (12, 'train', 'images/3db1a5779b4a4b2d-7981a583.png', 'labelled', 96, 72, '3db1a5779b4a4b2d178230fe09008f1c7a73c163dc56d4a7885d60f68f637a91', 276, 1795259037585872642, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (16, 'train', 'images/d943d69bcca04d50-9ee22616.png', 'labelled', 96, 72, 'd943d69bcca04d5086e846600243c11f723e8aada8357428b5ffc0878a4c72a4', 283, 1795259037587544912, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (18, 'train', 'images/c808eb50c44c1891-e8d8b511.png', 'labelled', 96, 72, 'c808eb50c44c1891dd099152d2a6c418d9867a478a65a4ff89c7798674debcb3', 284, 1795259037588075329, 'a table of 18 images', NULL, '{"camera":"left"}', 1, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (21, 'test', 'images/70eb6600355bd51e-69c0d866.png', 'labelled', 96, 72, '70eb6600355bd51e09c8da7e193622362b97d4a3dd406ad292854202d2697b61', 283, 1795259037585011935, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093601203);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (23, 'test', 'images/9b1e4b0fdfbb13c7-c048d32c.png', 'labelled', 96, 72, '9b1e4b0fdfbb13c773442dbda4c629568091f664fe9b1c811978936540a28ce4', 272, 1795259037587279489, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093601203);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (24, 'test', 'images/47ecf45198ad2f9e-dc904aa4.png', 'labelled', 96, 72, '47ecf45198ad2f9e2948bdb7e2a7db51d7a1c60d2b66a09f4336644d25643cf3', 275, 1795259037588336957, 'a table of 6 images', NULL, '{"camera":"left"}', 1, 1795259093601203);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (1, 'train', 'images/90064164a769f8d0-795499f4.png', 'labelled', 96, 72, '90064164a769f8d0fd83123059ff2937578d09d7c8d6f2ceea07edf4f90a282c', 277, 1795259037581667515, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (6, 'train', 'images/d65d47256985d0de-e90f4b64.png', 'labelled', 96, 72, 'd65d47256985d0de46c4887c899feacddc7ca1f135d65bfe2bb81943551d347d', 271, 1795259037583623817, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (7, 'train', 'images/4cd1b75e4b3d6ada-3017a0ee.png', 'labelled', 96, 72, '4cd1b75e4b3d6adaa96ca8c4a3efc19fcbceebc4cfdebfc50d5e1726480aba34', 275, 1795259037584205089, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (8, 'train', 'images/c202b3538e8f1255-f5ee1da7.png', 'labelled', 96, 72, 'c202b3538e8f1255f36f4c13ba0220512e9909a410fa3150be7a4ad011279956', 279, 1795259037584477913, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (10, 'train', 'images/8f962fa2fd2604dc-9b103814.png', 'labelled', 96, 72, '8f962fa2fd2604dc913047b200b511fcbba90144cf89a5d39e39aa2a562beb48', 277, 1795259037585279322, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (13, 'train', 'images/dd288c8f967788ac-7685c5c4.png', 'labelled', 96, 72, 'dd288c8f967788ac4c61276b0bc1fe583a9830e7d9c4846edf176b2ee43e67d9', 280, 1795259037586476317, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (14, 'train', 'images/72b3605542fcaac7-5969a09f.png', 'labelled', 96, 72, '72b3605542fcaac704786378409346f392e9301a0d653eea83c9d40fb836cd2c', 277, 1795259037586742592, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (15, 'train', 'images/2afef2226bbcf699-adc95e68.png', 'labelled', 96, 72, '2afef2226bbcf69975d6a0a26c692bd59566fbce1b5cba058c667f72024ae862', 279, 1795259037587007275, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (17, 'train', 'images/ae4a63504c5dbc84-09b1228e.png', 'labelled', 96, 72, 'ae4a63504c5dbc84bb3d513dab36fd2b8afc1e21bb2debf10424b06a61393e32', 269, 1795259037587814672, 'a table of 18 images', NULL, '{"camera":"left"}', 3, 1795259093568181);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (19, 'test', 'images/108ea371c789b9d3-e72a2949.png', 'labelled', 96, 72, '108ea371c789b9d3403e0a931e7099e223e80a68f65203ae0b7483d193f6baac', 269, 1795259037582776059, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093601203);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (20, 'test', 'images/b05b29c19467e538-d8e79316.png', 'labelled', 96, 72, 'b05b29c19467e53821a30a10912e896c6eb44a2ee40e02fd82eb505e75f4e3ff', 270, 1795259037583928909, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093601203);
INSERT INTO customlabels_d0c86b72de954505.images VALUES (22, 'test', 'images/c744b45f0b783f76-a81f482b.png', 'labelled', 96, 72, 'c744b45f0b783f760e1efeb4cc351118f33ba39d20dbe9efeb4351f2e46e66b6', 266, 1795259037586190473, 'a table of 6 images', NULL, '{"camera":"left"}', 3, 1795259093601203);


--
-- Data for Name: import_lines; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--



--
-- Data for Name: issues; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--



--
-- Data for Name: labels; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--

INSERT INTO customlabels_d0c86b72de954505.labels VALUES (1, 'blue', '#c8553d', 0);
INSERT INTO customlabels_d0c86b72de954505.labels VALUES (2, 'green', '#2f7fc1', 1);
INSERT INTO customlabels_d0c86b72de954505.labels VALUES (3, 'red', '#d49b1a', 2);


--
-- Data for Name: meta; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--

INSERT INTO customlabels_d0c86b72de954505.meta VALUES ('schema_version', '2');
INSERT INTO customlabels_d0c86b72de954505.meta VALUES ('dtypes of own columns', '{"camera": "str"}');


--
-- Data for Name: predictions; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--



--
-- Data for Name: project; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--

INSERT INTO customlabels_d0c86b72de954505.project VALUES (1, 'multi-label', 'multi-label', 'CREATED', '', 1795259093533106, 1795259093629621, '{"kept":"0.1.0","kind":"multi-label"}', 'Squares of three colours.');


--
-- Data for Name: snapshots; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--

INSERT INTO customlabels_d0c86b72de954505.snapshots VALUES (1, 'as imported', 1795259093615309, 'root', NULL, 24, 40, '\x785eed586d8f1bb90dfe2b0bf7ab7da5248a12f3573641414954b2c5661d6c9c5e0f41fe7b1f7977d1cc2048be5caf075ce0b1674c7328f1f579c69f0ff3fcf8de2e875737e17873f8f8e1fe6e5d3f7cbabfc7d77b6b7eff11df6f6f0fedfe931f20fb5baf39a7717873bcb93dbc7d747fb84ae32cb38727e9a38fab6cb0b6608737101eeededb5b5fa63e3f5d1e5edd3ecbfeae44c241d88ae8ac834e4533ab4efee5c3c3dbc3f1450db25847cf927b62997ca2c05663ad5b351dadb994545a9bc4d54fb971a93cc356cd985b57ed4e2d9ad13869995907cdad5a27ed5d5b496c43c4edc423550a296ed586e4c12566d19a070d3fb9d2e4263b17b88fd04a766e69880d3b250ac5c87db768a4d8524ed5eb0c31e7d3ccee6158d9aaa5c18ef5c4355269a19d3856b32cb255ab53254e8b7344211efd84a450aa61b7b71932c3404c56f3442a4f527beb48c77e51a43497a28d8d5b1c485685a0a65d400612d3d7d2a5d46afd54a4e69efb6ed1023f8572e638bb592fa7aca246bacb42b4e933c628adf529aa271b5db3cb2ef5431971d5d6bbc1d14c2775c74d61171073364999b8e7010f514888488c759f854ad55ba6cedc43d570f23a6acb615748015a964ae8a56ad3914e5ea24565dd06a4516e517b5096e248ed69542f9af67b2be44d8428e5dc460e7e12ed34ea3ea7bda07c394f6aa5a659e464354caeb1ed7aa105d41acd315b0b09e1ede8889162dfaa71f13e3907ad36e2543f21bac4664fc97a737c190bb787cba3dda1dfff3c67ff7859dbf9d169f970b1cb270ca0dba7a976bf66d45ff91221f9f56e5cde21222ac7dfe380c5777ef7f61d00e4b6c4e3ef71acbcbd33ccd595b73d4ecc51538889b2ce1935955c30ad74140c2d99b1bb1b151f93a79261b075e47b8f213a6586d167ae8d0219bb74600c876e99624999134d71664c5098ed00c0c31e5fba8da981faba3f14b5d8bb84353a1565e6512544a2ecc0b8593124d62ef6d8938042c21148d08167d46ac5380f8c79cc3400ab694e0b8c09e880194a06137b5cf242219b606400cca00d6cd46218e60ed862a268bd162f7029a4ec33c3c41eb3583a63e55e01bd6e7d0c6cd6c2843e34dbf4d85ac5f8c2640a237159edb3c73353e9563b5b7220884e44c1bd75ee73789b3dd3c81e4a14ae64cd122f4776583713a0bd87d48c62a41ca2ab921a07789542a6e6c580c514422caa288ce3618f830c138ea069c6a4030cd8e411c39c03bb2a65706bcd4a89813c4d38b462b1c7480d89b834646e0d7cf8d14c11523852d5f248ea49cd22c036366f5c61628f9f6134b8dbb276ebd3919630064b4dde43198e32111d61669427bc2c52ae8e6cb13514c0314d27543e98402f56520f9216091aa04b15644350a0754a2aa661257587bb8c628c451ab51ea603a64d6b222f43916c16b407d66ed19d1348d35098d86332025161bf32e9e25d499112f0167026c9094d5653d7c1345b4dd2c7b5cdf6785db04f43130a9c8ec035e44d266a23b4dc91e85cbb489905a5c0e655e2726487e5551cfb053246460c02949383ed0c2c9f0b784b5ba4856aa9c61d00bc4a6b8ff30dac0be53f0c9c0364a85543917a0c0d3406e5198823c0524c42d2e469eda2ef38c0c080d190e388866e09756815d42356956c3c511d1dd4083286c5de124cecf901537232203f5a5615fc047e90ad1ce688de061f2d5cd3089aa634702298d87387182c61d890a23b2a5a4e50826c2b89e4049e57e3e22dd90baa0b353e575277bc02b4b682503a96116c0165ace80c4ba851446044506d903282a3a2a5c92aad3de7200f3eb172ef182a21d499d0b44947a4d15caf3fe1070c2d9499485b9d0a9eb5e123a0d51c471bc899441445854b13f36a3a347b0d4141aa92645e03bcfb4aea9eab8069d5365af16865a05947b1d085905e41c9e121222518c400c882c29969d199f61b0803102596728c85f0d663ace9f93ae09c9f6485f1864e5d3af27c5ef73cebcb3a43679d979d6543a007e8830dacf4fe72f7defff1b0160336e49895805335a0dc73c8c7af65187625a4b495714291948d2c91540e5bbd9430b949b77a1241f2b7f722a399ea568f1915bbb3c7658df9edbd195ea718376b80b8e7243bbdba06fc564fb848daed053d82706cf50a5159c1ff3a2e05308842dfcaf0f42208f2d77a950ae6fdd637240f4f17bbb8a0b481285b3f00279ab6eb4a00072edb38637328b7edbd1505a6b92ca672fef4088a00a66237176bf77e739e37a1de3c3ffa6220fd14ffc96222df4cceff5c8a62b9d8db3515ae7fb4fcf11fd880ff1b0f73ab583fbf3e747bef8ff6faf0eaf5e1dee7e5f5e10b26ed4ff9cf38fcb81ede7cc19f7bf6f070c6e3f5dd7921dd57fff0d1918e8053bc125e7ccc47c1abe0558f8a57c0cf38c271cd771c98b638f87a601ae390ebb110e618eaf5c05d405b802d0ed886f1846abe3ed32f48c77ae1baeafa84caf5fd245dd74fd2a7eb27f9cbb775f5a4f1f209c9b28c8638bcfa7ce8e74f0fb8603a1efe65ebbfd057ab6dbfa093cf1fbefbfbf353f6772cbc3c357f47e5c3f9feb7b7e787ef2ed41fcfbf8e6f6b10f6d9cf0ff36ef8c382a86fad147e595acfa93c3f7e5be9f0783e5f0ed0fbe7b9fd60336e17fcc7f25fe20380652a88df0b6aff14fcc5e351f1af0d3afa9918a31cfe9f82375fbefc079526da61');


--
-- Data for Name: versions; Type: TABLE DATA; Schema: customlabels_d0c86b72de954505; Owner: -
--



--
-- Name: annotations annotations_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.annotations
    ADD CONSTRAINT annotations_pkey PRIMARY KEY (id);


--
-- Name: counters counters_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (name);


--
-- Name: datasets datasets_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.datasets
    ADD CONSTRAINT datasets_pkey PRIMARY KEY (split);


--
-- Name: history history_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (id);


--
-- Name: images images_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);


--
-- Name: images images_split_image_key; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.images
    ADD CONSTRAINT images_split_image_key UNIQUE (split, image);


--
-- Name: import_lines import_lines_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.import_lines
    ADD CONSTRAINT import_lines_pkey PRIMARY KEY (id);


--
-- Name: issues issues_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.issues
    ADD CONSTRAINT issues_pkey PRIMARY KEY (id);


--
-- Name: labels labels_label_key; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.labels
    ADD CONSTRAINT labels_label_key UNIQUE (label);


--
-- Name: labels labels_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.labels
    ADD CONSTRAINT labels_pkey PRIMARY KEY (id);


--
-- Name: meta meta_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);


--
-- Name: predictions predictions_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.predictions
    ADD CONSTRAINT predictions_pkey PRIMARY KEY (id);


--
-- Name: project project_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);


--
-- Name: snapshots snapshots_name_key; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.snapshots
    ADD CONSTRAINT snapshots_name_key UNIQUE (name);


--
-- Name: snapshots snapshots_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (id);


--
-- Name: versions versions_alias_key; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.versions
    ADD CONSTRAINT versions_alias_key UNIQUE (alias);


--
-- Name: versions versions_name_key; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.versions
    ADD CONSTRAINT versions_name_key UNIQUE (name);


--
-- Name: versions versions_pkey; Type: CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);


--
-- Name: annotations annotations_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.annotations
    ADD CONSTRAINT annotations_pkey PRIMARY KEY (id);


--
-- Name: counters counters_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (name);


--
-- Name: datasets datasets_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.datasets
    ADD CONSTRAINT datasets_pkey PRIMARY KEY (split);


--
-- Name: history history_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (id);


--
-- Name: images images_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);


--
-- Name: images images_split_image_key; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.images
    ADD CONSTRAINT images_split_image_key UNIQUE (split, image);


--
-- Name: import_lines import_lines_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.import_lines
    ADD CONSTRAINT import_lines_pkey PRIMARY KEY (id);


--
-- Name: issues issues_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.issues
    ADD CONSTRAINT issues_pkey PRIMARY KEY (id);


--
-- Name: labels labels_label_key; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.labels
    ADD CONSTRAINT labels_label_key UNIQUE (label);


--
-- Name: labels labels_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.labels
    ADD CONSTRAINT labels_pkey PRIMARY KEY (id);


--
-- Name: meta meta_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);


--
-- Name: predictions predictions_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.predictions
    ADD CONSTRAINT predictions_pkey PRIMARY KEY (id);


--
-- Name: project project_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);


--
-- Name: snapshots snapshots_name_key; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.snapshots
    ADD CONSTRAINT snapshots_name_key UNIQUE (name);


--
-- Name: snapshots snapshots_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (id);


--
-- Name: versions versions_alias_key; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.versions
    ADD CONSTRAINT versions_alias_key UNIQUE (alias);


--
-- Name: versions versions_name_key; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.versions
    ADD CONSTRAINT versions_name_key UNIQUE (name);


--
-- Name: versions versions_pkey; Type: CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);


--
-- Name: annotations annotations_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.annotations
    ADD CONSTRAINT annotations_pkey PRIMARY KEY (id);


--
-- Name: counters counters_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (name);


--
-- Name: datasets datasets_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.datasets
    ADD CONSTRAINT datasets_pkey PRIMARY KEY (split);


--
-- Name: history history_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (id);


--
-- Name: images images_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);


--
-- Name: images images_split_image_key; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.images
    ADD CONSTRAINT images_split_image_key UNIQUE (split, image);


--
-- Name: import_lines import_lines_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.import_lines
    ADD CONSTRAINT import_lines_pkey PRIMARY KEY (id);


--
-- Name: issues issues_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.issues
    ADD CONSTRAINT issues_pkey PRIMARY KEY (id);


--
-- Name: labels labels_label_key; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.labels
    ADD CONSTRAINT labels_label_key UNIQUE (label);


--
-- Name: labels labels_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.labels
    ADD CONSTRAINT labels_pkey PRIMARY KEY (id);


--
-- Name: meta meta_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);


--
-- Name: predictions predictions_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.predictions
    ADD CONSTRAINT predictions_pkey PRIMARY KEY (id);


--
-- Name: project project_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);


--
-- Name: snapshots snapshots_name_key; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.snapshots
    ADD CONSTRAINT snapshots_name_key UNIQUE (name);


--
-- Name: snapshots snapshots_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (id);


--
-- Name: versions versions_alias_key; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.versions
    ADD CONSTRAINT versions_alias_key UNIQUE (alias);


--
-- Name: versions versions_name_key; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.versions
    ADD CONSTRAINT versions_name_key UNIQUE (name);


--
-- Name: versions versions_pkey; Type: CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);


--
-- Name: annotations annotations_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.annotations
    ADD CONSTRAINT annotations_pkey PRIMARY KEY (id);


--
-- Name: counters counters_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (name);


--
-- Name: datasets datasets_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.datasets
    ADD CONSTRAINT datasets_pkey PRIMARY KEY (split);


--
-- Name: history history_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (id);


--
-- Name: images images_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);


--
-- Name: images images_split_image_key; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.images
    ADD CONSTRAINT images_split_image_key UNIQUE (split, image);


--
-- Name: import_lines import_lines_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.import_lines
    ADD CONSTRAINT import_lines_pkey PRIMARY KEY (id);


--
-- Name: issues issues_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.issues
    ADD CONSTRAINT issues_pkey PRIMARY KEY (id);


--
-- Name: labels labels_label_key; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.labels
    ADD CONSTRAINT labels_label_key UNIQUE (label);


--
-- Name: labels labels_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.labels
    ADD CONSTRAINT labels_pkey PRIMARY KEY (id);


--
-- Name: meta meta_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);


--
-- Name: predictions predictions_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.predictions
    ADD CONSTRAINT predictions_pkey PRIMARY KEY (id);


--
-- Name: project project_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);


--
-- Name: snapshots snapshots_name_key; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.snapshots
    ADD CONSTRAINT snapshots_name_key UNIQUE (name);


--
-- Name: snapshots snapshots_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (id);


--
-- Name: versions versions_alias_key; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.versions
    ADD CONSTRAINT versions_alias_key UNIQUE (alias);


--
-- Name: versions versions_name_key; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.versions
    ADD CONSTRAINT versions_name_key UNIQUE (name);


--
-- Name: versions versions_pkey; Type: CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);


--
-- Name: annotations_by_image; Type: INDEX; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE INDEX annotations_by_image ON customlabels_4a7920c26e9c47a7.annotations USING btree (image_id);


--
-- Name: history_by_undone; Type: INDEX; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE INDEX history_by_undone ON customlabels_4a7920c26e9c47a7.history USING btree (undoes);


--
-- Name: predictions_by_image; Type: INDEX; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE INDEX predictions_by_image ON customlabels_4a7920c26e9c47a7.predictions USING btree (image_id);


--
-- Name: predictions_by_model; Type: INDEX; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

CREATE INDEX predictions_by_model ON customlabels_4a7920c26e9c47a7.predictions USING btree (model);


--
-- Name: annotations_by_image; Type: INDEX; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE INDEX annotations_by_image ON customlabels_6d43f7cc225446ba.annotations USING btree (image_id);


--
-- Name: history_by_undone; Type: INDEX; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE INDEX history_by_undone ON customlabels_6d43f7cc225446ba.history USING btree (undoes);


--
-- Name: predictions_by_image; Type: INDEX; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE INDEX predictions_by_image ON customlabels_6d43f7cc225446ba.predictions USING btree (image_id);


--
-- Name: predictions_by_model; Type: INDEX; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

CREATE INDEX predictions_by_model ON customlabels_6d43f7cc225446ba.predictions USING btree (model);


--
-- Name: annotations_by_image; Type: INDEX; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE INDEX annotations_by_image ON customlabels_97b947b97bce426c.annotations USING btree (image_id);


--
-- Name: history_by_undone; Type: INDEX; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE INDEX history_by_undone ON customlabels_97b947b97bce426c.history USING btree (undoes);


--
-- Name: predictions_by_image; Type: INDEX; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE INDEX predictions_by_image ON customlabels_97b947b97bce426c.predictions USING btree (image_id);


--
-- Name: predictions_by_model; Type: INDEX; Schema: customlabels_97b947b97bce426c; Owner: -
--

CREATE INDEX predictions_by_model ON customlabels_97b947b97bce426c.predictions USING btree (model);


--
-- Name: annotations_by_image; Type: INDEX; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE INDEX annotations_by_image ON customlabels_d0c86b72de954505.annotations USING btree (image_id);


--
-- Name: history_by_undone; Type: INDEX; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE INDEX history_by_undone ON customlabels_d0c86b72de954505.history USING btree (undoes);


--
-- Name: predictions_by_image; Type: INDEX; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE INDEX predictions_by_image ON customlabels_d0c86b72de954505.predictions USING btree (image_id);


--
-- Name: predictions_by_model; Type: INDEX; Schema: customlabels_d0c86b72de954505; Owner: -
--

CREATE INDEX predictions_by_model ON customlabels_d0c86b72de954505.predictions USING btree (model);


--
-- Name: annotations annotations_image_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.annotations
    ADD CONSTRAINT annotations_image_id_fkey FOREIGN KEY (image_id) REFERENCES customlabels_4a7920c26e9c47a7.images(id) ON DELETE CASCADE;


--
-- Name: annotations annotations_label_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.annotations
    ADD CONSTRAINT annotations_label_id_fkey FOREIGN KEY (label_id) REFERENCES customlabels_4a7920c26e9c47a7.labels(id);


--
-- Name: images images_split_fkey; Type: FK CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.images
    ADD CONSTRAINT images_split_fkey FOREIGN KEY (split) REFERENCES customlabels_4a7920c26e9c47a7.datasets(split);


--
-- Name: predictions predictions_image_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.predictions
    ADD CONSTRAINT predictions_image_id_fkey FOREIGN KEY (image_id) REFERENCES customlabels_4a7920c26e9c47a7.images(id) ON DELETE CASCADE;


--
-- Name: predictions predictions_label_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_4a7920c26e9c47a7; Owner: -
--

ALTER TABLE ONLY customlabels_4a7920c26e9c47a7.predictions
    ADD CONSTRAINT predictions_label_id_fkey FOREIGN KEY (label_id) REFERENCES customlabels_4a7920c26e9c47a7.labels(id);


--
-- Name: annotations annotations_image_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.annotations
    ADD CONSTRAINT annotations_image_id_fkey FOREIGN KEY (image_id) REFERENCES customlabels_6d43f7cc225446ba.images(id) ON DELETE CASCADE;


--
-- Name: annotations annotations_label_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.annotations
    ADD CONSTRAINT annotations_label_id_fkey FOREIGN KEY (label_id) REFERENCES customlabels_6d43f7cc225446ba.labels(id);


--
-- Name: images images_split_fkey; Type: FK CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.images
    ADD CONSTRAINT images_split_fkey FOREIGN KEY (split) REFERENCES customlabels_6d43f7cc225446ba.datasets(split);


--
-- Name: predictions predictions_image_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.predictions
    ADD CONSTRAINT predictions_image_id_fkey FOREIGN KEY (image_id) REFERENCES customlabels_6d43f7cc225446ba.images(id) ON DELETE CASCADE;


--
-- Name: predictions predictions_label_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_6d43f7cc225446ba; Owner: -
--

ALTER TABLE ONLY customlabels_6d43f7cc225446ba.predictions
    ADD CONSTRAINT predictions_label_id_fkey FOREIGN KEY (label_id) REFERENCES customlabels_6d43f7cc225446ba.labels(id);


--
-- Name: annotations annotations_image_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.annotations
    ADD CONSTRAINT annotations_image_id_fkey FOREIGN KEY (image_id) REFERENCES customlabels_97b947b97bce426c.images(id) ON DELETE CASCADE;


--
-- Name: annotations annotations_label_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.annotations
    ADD CONSTRAINT annotations_label_id_fkey FOREIGN KEY (label_id) REFERENCES customlabels_97b947b97bce426c.labels(id);


--
-- Name: images images_split_fkey; Type: FK CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.images
    ADD CONSTRAINT images_split_fkey FOREIGN KEY (split) REFERENCES customlabels_97b947b97bce426c.datasets(split);


--
-- Name: predictions predictions_image_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.predictions
    ADD CONSTRAINT predictions_image_id_fkey FOREIGN KEY (image_id) REFERENCES customlabels_97b947b97bce426c.images(id) ON DELETE CASCADE;


--
-- Name: predictions predictions_label_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_97b947b97bce426c; Owner: -
--

ALTER TABLE ONLY customlabels_97b947b97bce426c.predictions
    ADD CONSTRAINT predictions_label_id_fkey FOREIGN KEY (label_id) REFERENCES customlabels_97b947b97bce426c.labels(id);


--
-- Name: annotations annotations_image_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.annotations
    ADD CONSTRAINT annotations_image_id_fkey FOREIGN KEY (image_id) REFERENCES customlabels_d0c86b72de954505.images(id) ON DELETE CASCADE;


--
-- Name: annotations annotations_label_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.annotations
    ADD CONSTRAINT annotations_label_id_fkey FOREIGN KEY (label_id) REFERENCES customlabels_d0c86b72de954505.labels(id);


--
-- Name: images images_split_fkey; Type: FK CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.images
    ADD CONSTRAINT images_split_fkey FOREIGN KEY (split) REFERENCES customlabels_d0c86b72de954505.datasets(split);


--
-- Name: predictions predictions_image_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.predictions
    ADD CONSTRAINT predictions_image_id_fkey FOREIGN KEY (image_id) REFERENCES customlabels_d0c86b72de954505.images(id) ON DELETE CASCADE;


--
-- Name: predictions predictions_label_id_fkey; Type: FK CONSTRAINT; Schema: customlabels_d0c86b72de954505; Owner: -
--

ALTER TABLE ONLY customlabels_d0c86b72de954505.predictions
    ADD CONSTRAINT predictions_label_id_fkey FOREIGN KEY (label_id) REFERENCES customlabels_d0c86b72de954505.labels(id);


--
-- PostgreSQL database dump complete
--


