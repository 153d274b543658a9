//! How commands print what they found: times, and tables for people.

use chrono::{DateTime, SecondsFormat, Utc};

/// A time to the second.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Rows under their headings, each column as wide as what stands in it.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    Table::new(headings, true).lines(rows)
}

/// A table whose rows come by and by: its columns get wider when something wider comes, and never narrower.
pub(super) struct Table<const N: usize> {
    /// Still to be printed.
    headings: Option<[String; N]>,
    /// In characters, as padding counts.
    widths: [usize; N],
}

impl<const N: usize> Table<N> {
    /// With these headings, or with columns that are as wide: a program that reads lines has no use for a heading.
    pub(super) fn new(headings: [&str; N], shown: bool) -> Self {
        let widths = headings.map(|heading| heading.chars().count());
        Self { headings: shown.then(|| headings.map(str::to_owned)), widths }
    }

    /// The next rows, the first of them under the headings.
    pub(super) fn lines(&mut self, rows: &[[String; N]]) -> String {
        let headings = self.headings.take();
        let lines = || headings.iter().chain(rows);
        for line in lines() {
            for (width, cell) in self.widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut table = String::new();
        for line in lines() {
            let cells: Vec<_> = line.iter().zip(self.widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            table.push_str(cells.join("  ").trim_end());
            table.push('\n');
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::{Table, table};

    #[test]
    fn columns_stand_under_their_headings() {
        let rows = [["1".to_owned(), "Zoë".to_owned()], ["22".to_owned(), String::new()]];
        assert_eq!(table(["ID", "NAME"], &rows), "ID  NAME\n1   Zoë\n22\n");
        assert_eq!(table(["ID"], &[]), "ID\n");
    }

    #[test]
    fn columns_keep_their_width_for_the_rows_to_come() {
        let row = |cells: [&str; 2]| [cells.map(str::to_owned)];
        let mut shown = Table::new(["ID", "NAME"], true);
        assert_eq!(shown.lines(&row(["Zoë", "x"])), "ID   NAME\nZoë  x\n");
        assert_eq!(shown.lines(&row(["1", "y"])), "1    y\n");
        assert_eq!(Table::new(["ID", "NAME"], false).lines(&row(["1", "z"])), "1   z\n");
    }
}
