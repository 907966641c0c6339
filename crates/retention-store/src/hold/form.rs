//! Owns in which form a hold's value must be to match a row: as PostgreSQL prints values of the column's type.

use pg_session::{DbError, Kind, Session, Sql};

use super::{HeldColumn, HoldError, Structure};

/// An active hold that can match no row, as its value is not in the form in which the column's text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misprinted {
    /// The hold's number.
    pub id: i64,
    /// The column that its value is compared with.
    pub on: HeldColumn,
    /// The column's type.
    pub type_name: String,
    /// The form that would match; `None`: the value is none of this type.
    pub printed: Option<String>,
    /// The hold is on a subject: its value names a person, and is not to be shown in any form.
    pub subject: bool,
}

impl Misprinted {
    /// What is wrong with it, and what to do, without a subject of the sentence. What a subject's hold has is never shown: it
    /// names a person.
    pub fn why(&self) -> String {
        let Self {
            id,
            on,
            type_name,
            printed,
            subject,
        } = self;
        let whose = if *subject { "a subject's key" } else { "a value" };
        let what = match printed {
            None => format!("has {whose} that is none of the type {type_name}, which {on} is"),
            Some(printed) if !subject => {
                format!("has {whose} that is not as {on} ({type_name}) has it, which would be {printed:?}")
            }
            Some(_) => format!(
                "has {whose} that is not as {on} ({type_name}) prints it, as in 04 for 4 or large letters in a UUID"
            ),
        };
        format!(
            "{what}: it would match no row and protect nothing; place it anew in the right form (`retention-job hold add`), \
             then release this one (`retention-job hold release {id}`)"
        )
    }
}

/// Active holds whose value is in a form that matches nothing: `04` for an integer, a UUID in large letters, or what a
/// column has become another type under. Holds on subjects are compared with `subjects`, the columns that have their keys;
/// columns that are not there are left out ([`Structure::dangling`]).
///
/// # Errors
/// The database cannot be asked.
pub async fn misprinted(
    session: &Session,
    active: &Structure,
    subjects: &[HeldColumn],
) -> Result<Vec<Misprinted>, DbError> {
    let mut found = Vec::new();
    for on in &active.columns {
        found.extend(of_column(session, on, false).await?);
    }
    if active.subjects {
        for on in subjects {
            found.extend(of_column(session, on, true).await?);
        }
    }
    Ok(found)
}

async fn of_column(session: &Session, on: &HeldColumn, subject: bool) -> Result<Vec<Misprinted>, DbError> {
    let form = match form(session, on).await {
        Ok(form) => form,
        Err(HoldError::Db(error)) => return Err(error),
        // Not there: that is told elsewhere.
        Err(_) => return Ok(Vec::new()),
    };
    let printed = form.of("h.value");
    let concerns = concerns(on, subject);
    let misprint = |id, printed| Misprinted {
        id,
        on: on.clone(),
        type_name: form.type_name.clone(),
        printed,
        subject,
    };
    let all = Sql::text(format!(
        "SELECT h.id, {printed} FROM retention.hold AS h WHERE h.released_at IS NULL AND "
    ))
    .append(&concerns)
    .raw(format!(" AND h.value IS DISTINCT FROM {printed} ORDER BY h.id"));
    match session.query(&all).await {
        Ok(rows) => {
            return rows
                .iter()
                .map(|row| Ok(misprint(row.try_get(0)?, row.try_get(1)?)))
                .collect();
        }
        Err(error) if is_of_value(&error) => {}
        Err(error) => return Err(error),
    }
    // One of them is none of the type: which?
    let ids = Sql::text("SELECT h.id FROM retention.hold AS h WHERE h.released_at IS NULL AND ")
        .append(&concerns)
        .raw(" ORDER BY h.id");
    let mut found = Vec::new();
    for row in session.query(&ids).await? {
        let id: i64 = row.try_get(0)?;
        let one = Sql::text(format!(
            "SELECT h.value IS DISTINCT FROM {printed}, {printed} FROM retention.hold AS h WHERE h.id = "
        ))
        .param(id.to_string(), "bigint");
        match session.one(&one).await {
            Ok(row) if row.try_get(0)? => found.push(misprint(id, row.try_get(1)?)),
            Ok(_) => {}
            Err(error) if is_of_value(&error) => found.push(misprint(id, None)),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn concerns(on: &HeldColumn, subject: bool) -> Sql {
    if subject {
        return Sql::text("h.table_name IS NULL");
    }
    Sql::text("h.table_schema = ")
        .param(on.schema.as_str(), "pg_catalog.text")
        .raw(" AND h.table_name = ")
        .param(on.table.as_str(), "pg_catalog.text")
        .raw(" AND h.column_name = ")
        .param(on.column.as_str(), "pg_catalog.text")
}

fn is_of_value(error: &DbError) -> bool {
    matches!(error.kind, Kind::Value | Kind::Constraint)
}

/// How a column prints its values.
struct Form {
    type_name: String,
    /// Text is text. A cast would cut what is too long for `varchar(n)`, and then hold another row.
    text: bool,
    /// `char(n)` prints without the blanks at its end.
    padded: bool,
}

impl Form {
    /// SQL of the text of `value`, itself SQL of a text.
    fn of(&self, value: &str) -> String {
        match (self.text, self.padded) {
            (true, true) => format!("pg_catalog.rtrim({value}, ' ')"),
            (true, false) => value.to_owned(),
            (false, _) => format!("({value})::{}::pg_catalog.text", self.type_name),
        }
    }
}

async fn form(session: &Session, on: &HeldColumn) -> Result<Form, HoldError> {
    let row = session
        .maybe(
            &Sql::text(
                "SELECT a.attname IS NOT NULL, pg_catalog.format_type(a.atttypid, a.atttypmod), \
                 t.typcategory = 'S', 'pg_catalog.bpchar'::pg_catalog.regtype IN (t.oid, t.typbasetype) \
                 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
                 LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                 AND a.attname = ",
            )
            .param(on.column.as_str(), "text")
            .raw(
                " LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid WHERE c.relkind IN ('r', 'p') AND n.nspname = ",
            )
            .param(on.schema.as_str(), "text")
            .raw(" AND c.relname = ")
            .param(on.table.as_str(), "text"),
        )
        .await?
        .ok_or_else(|| HoldError::NoTable {
            schema: on.schema.clone(),
            table: on.table.clone(),
        })?;
    if !row.try_get::<_, bool>(0).map_err(DbError::from)? {
        return Err(HoldError::NoColumn { on: on.clone() });
    }
    Ok(Form {
        type_name: row.try_get(1).map_err(DbError::from)?,
        text: row.try_get(2).map_err(DbError::from)?,
        padded: row.try_get(3).map_err(DbError::from)?,
    })
}

/// The value as the column's text will be when it is compared: `'0A'::uuid::text` has small letters, a `numeric(10,2)`
/// two decimals. A value in another form would protect nothing.
pub(super) async fn as_printed(session: &Session, on: &HeldColumn, value: &str) -> Result<String, HoldError> {
    let form = form(session, on).await?;
    let sql = Sql::text(format!("SELECT {} FROM (SELECT ", form.of("v.value")))
        .param(value, "pg_catalog.text")
        .raw(" AS value) AS v");
    match session.one(&sql).await {
        Ok(row) => Ok(row.try_get(0).map_err(DbError::from)?),
        Err(source) if is_of_value(&source) => Err(HoldError::Value {
            on: on.clone(),
            type_name: form.type_name,
            source,
        }),
        Err(error) => Err(error.into()),
    }
}
