//! Owns the text of the questions to the catalog. They run with `search_path = ''`, where `pg_catalog` is looked into
//! first, and on every version from 14 on.

use pg_session::{Sql, array_literal};
use retention_policy::TableName;

fn oid_list(oids: &[u32]) -> String {
    array_literal(oids.iter().map(u32::to_string))
}

/// Version, database, user, clock.
pub(crate) fn server() -> Sql {
    Sql::text(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_version'), current_database()::text, \
         (SELECT oid FROM pg_database WHERE datname = current_database()), current_user::text, pg_is_in_recovery(), \
         current_setting('default_transaction_read_only')::bool, clock_timestamp(), \
         has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')",
    )
}

/// The cluster's own number.
pub(crate) fn identifier() -> Sql {
    Sql::text("SELECT system_identifier::text FROM pg_control_system()")
}

/// OIDs of the named tables, of everything below them (`true`), and of everything tied to those.
pub(crate) fn tied(names: &[TableName]) -> Sql {
    Sql::text("WITH RECURSIVE named(schema_name, table_name) AS (SELECT DISTINCT * FROM unnest(")
        .param(array_literal(names.iter().map(|name| &name.schema)), "text[]")
        .raw(", ")
        .param(array_literal(names.iter().map(|name| &name.name)), "text[]")
        .raw(
            ")), below(oid) AS (\
             SELECT c.oid FROM named JOIN pg_namespace n ON n.nspname = named.schema_name \
             JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = named.table_name \
             UNION SELECT i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.oid), \
             edge(a, b) AS MATERIALIZED (\
             SELECT inhrelid, inhparent FROM pg_inherits UNION ALL SELECT inhparent, inhrelid FROM pg_inherits \
             UNION ALL SELECT conrelid, confrelid FROM pg_constraint WHERE contype = 'f' \
             UNION ALL SELECT confrelid, conrelid FROM pg_constraint WHERE contype = 'f'), \
             tied(oid) AS (SELECT oid FROM below UNION SELECT edge.b FROM tied JOIN edge ON edge.a = tied.oid) \
             SELECT oid, oid IN (SELECT oid FROM below) FROM tied",
        )
}

/// `schema.name` of every table.
pub(crate) fn known_names() -> Sql {
    Sql::text(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retention') AND n.nspname !~ '^pg_' \
         ORDER BY 1 LIMIT 10000",
    )
}

/// One row a table.
pub(crate) fn relations(oids: &[u32]) -> Sql {
    Sql::text(
        "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, \
         c.relrowsecurity AND row_security_active(c.oid), \
         coalesce(has_schema_privilege(n.oid, 'USAGE'), false), coalesce(has_table_privilege(c.oid, 'SELECT'), false), \
         coalesce(has_table_privilege(c.oid, 'DELETE'), false), coalesce(has_table_privilege(c.oid, 'UPDATE'), false), \
         pg_has_role(c.relowner, 'USAGE'), c.relpages, c.reltuples::float8, p.partstrat::text, p.partattrs::int2[], \
         (SELECT split_part(option, '=', 2)::int4 FROM unnest(c.reloptions) option WHERE option LIKE 'fillfactor=%') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid WHERE c.oid = ANY (",
    )
    .param(oid_list(oids), "oid[]")
    .raw(")")
}

/// One row a column.
pub(crate) fn columns(oids: &[u32]) -> Sql {
    Sql::text(
        "SELECT a.attrelid, a.attnum, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
         a.attgenerated <> '' OR a.attidentity = 'a', a.atttypid, a.atttypmod, \
         a.attacl IS NOT NULL AND coalesce(has_column_privilege(a.attrelid, a.attnum, 'UPDATE'), false) \
         FROM pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY (",
    )
    .param(oid_list(oids), "oid[]")
    .raw(") ORDER BY a.attrelid, a.attnum")
}

/// One row a type that a column has: what lies below domains, and where its comparison operators are.
pub(crate) fn types(oids: &[u32]) -> Sql {
    Sql::text(
        "WITH RECURSIVE used AS (SELECT DISTINCT atttypid AS oid FROM pg_attribute \
         WHERE attnum > 0 AND NOT attisdropped AND attrelid = ANY (",
    )
    .param(oid_list(oids), "oid[]")
    .raw(
        ")), chain(root, oid, modifier, not_null, depth) AS (\
         SELECT oid, oid, -1, false, 0 FROM used \
         UNION ALL SELECT chain.root, t.typbasetype, t.typtypmod, chain.not_null OR t.typnotnull, chain.depth + 1 \
         FROM chain JOIN pg_type t ON t.oid = chain.oid WHERE t.typtype = 'd'), \
         base AS (SELECT DISTINCT ON (root) * FROM chain ORDER BY root, depth DESC) \
         SELECT base.root, format_type(base.oid, -1), base.modifier, base.depth > 0, base.not_null, \
         (SELECT n.nspname::text FROM pg_opclass c \
         JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amoplefttype = c.opcintype \
         AND a.amoprighttype = c.opcintype AND a.amopstrategy = 3 \
         JOIN pg_operator o ON o.oid = a.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace \
         WHERE c.opcmethod = 403 AND c.opcdefault AND c.opcintype = base.oid AND n.nspname <> 'pg_catalog' LIMIT 1) \
         FROM base",
    )
}

/// One row an index. Columns of expressions and predicates are what `pg_depend` knows; 0 means the whole row.
pub(crate) fn indexes(oids: &[u32], version: i32) -> Sql {
    let one_null = if version >= 150_000 {
        "i.indnullsnotdistinct"
    } else {
        "false"
    };
    Sql::text(format!(
        "SELECT i.indrelid, c.relname::text, i.indkey::int2[], i.indnkeyatts, \
         i.indisvalid AND i.indisready AND i.indislive, i.indpred IS NOT NULL, i.indisunique, {one_null}, m.amname::text, \
         i.indisprimary, CASE WHEN i.indexprs IS NOT NULL OR i.indpred IS NOT NULL THEN (\
         SELECT array_agg(d.refobjsubid::int2) FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
         AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid) END, \
         pg_get_expr(i.indpred, i.indrelid) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam WHERE i.indrelid = ANY ("
    ))
    .param(oid_list(oids), "oid[]")
    .raw(") ORDER BY i.indrelid, c.relname")
}

/// One row a foreign key, without the copies that partitions have of their parents' keys.
pub(crate) fn foreign_keys(oids: &[u32], version: i32) -> Sql {
    // The last column of a PERIOD key is not compared by equality: a row that overlaps may refer.
    let operator = if version >= 180_000 {
        "CASE WHEN c.conperiod AND u.place = cardinality(c.conpfeqop) THEN 'OPERATOR(pg_catalog.&&)' \
         ELSE format('OPERATOR(%I.%s)', n.nspname, o.oprname) END"
    } else {
        "format('OPERATOR(%I.%s)', n.nspname, o.oprname)"
    };
    Sql::text(format!(
        "SELECT c.conname::text, c.conrelid, c.conkey, c.confrelid, c.confkey, c.confdeltype::text, \
         (SELECT array_agg({operator} ORDER BY u.place) FROM unnest(c.conpfeqop) WITH ORDINALITY u(operator, place) \
         JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace n ON n.oid = o.oprnamespace) \
         FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY ("
    ))
    .param(oid_list(oids), "oid[]")
    .raw(") ORDER BY c.conrelid, c.conname")
}

/// One row a child, of either kind.
pub(crate) fn inheritance(oids: &[u32]) -> Sql {
    Sql::text(
        "SELECT i.inhrelid, i.inhparent, i.inhdetachpending, c.relispartition, pg_get_expr(c.relpartbound, c.oid) \
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = ANY (",
    )
    .param(oid_list(oids), "oid[]")
    .raw(") ORDER BY i.inhrelid, i.inhseqno")
}

/// One row a trigger that fires for us on DELETE (8) or UPDATE (16), before (2) or not, by row (1); and rules.
pub(crate) fn triggers(oids: &[u32]) -> Sql {
    Sql::text(
        "SELECT tgrelid, tgname::text, tgtype & 8 <> 0, tgtype & 16 <> 0, tgtype & 3 = 3 FROM pg_trigger \
         WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 24 <> 0 AND tgrelid = ANY (",
    )
    .param(oid_list(oids), "oid[]")
    .raw(
        ") UNION ALL SELECT ev_class, 'rule ' || rulename, ev_type = '4', ev_type = '2', is_instead FROM pg_rewrite \
         WHERE ev_type IN ('2', '4') AND ev_enabled IN ('O', 'A') AND ev_class = ANY (",
    )
    .param(oid_list(oids), "oid[]")
    .raw(") ORDER BY 1, 2")
}

/// Blocks of tables.
pub(crate) fn sizes(oids: &[u32]) -> Sql {
    Sql::text(
        "SELECT c.oid, coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int8 FROM pg_class c \
         WHERE c.relkind = 'r' AND c.oid = ANY (",
    )
    .param(oid_list(oids), "oid[]")
    .raw(")")
}
