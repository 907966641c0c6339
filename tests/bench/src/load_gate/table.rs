//! Owns the layout of figures by tool.

/// A table with a heading, columns as wide as they must be.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|&name| name.to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&heading).chain(rows).collect();
    let width = |column: usize| {
        all.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let mut text = String::new();
    for row in &all {
        for (column, cell) in row.iter().enumerate() {
            let fill = " ".repeat(width(column).unwrap_or(0) - cell.chars().count());
            // Names begin at the left, figures end at the right.
            let (before, after) = if column == 0 {
                ("", fill.as_str())
            } else {
                (fill.as_str(), "")
            };
            text.extend(["  ", before, cell, after]);
        }
        text.push('\n');
    }
    text
}

/// A figure in milliseconds; infinity is a word.
pub(crate) fn ms(value: f64) -> String {
    if value.is_infinite() {
        "infinite".to_owned()
    } else if value.is_nan() {
        "-".to_owned()
    } else if value.abs() < 10.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::{ms, table};

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["oha".to_owned(), "1.5".to_owned()],
            vec!["load-gate".to_owned(), "10.25".to_owned()],
        ];
        assert_eq!(
            table(&["tool", "ms"], &rows),
            "  tool          ms\n  oha          1.5\n  load-gate  10.25\n"
        );
        assert_eq!(ms(f64::INFINITY), "infinite");
        assert_eq!(ms(0.1234), "0.123");
    }
}
