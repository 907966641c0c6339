//! Owns random rules and holds.

use super::{Maker, one_in, pick};
use crate::case::{Action, Hold, Op, Rule, Table, Term, Transform, Val, at};
use fastrand::Rng;

impl Maker {
    pub(super) fn condition(&mut self) -> (usize, Op) {
        match self.rng.usize(0..12) {
            0 => (at::STATE, Op::Eq(Val::Text("it's".to_owned()))),
            1 => (at::STATE, Op::Ne(Val::Text("open".to_owned()))),
            2 => (
                at::STATE,
                Op::In(vec![
                    Val::Text("Ä\"\\".to_owned()),
                    Val::Text("new".to_owned()),
                    Val::Text(String::new()),
                ]),
            ),
            3 => (
                at::STATE,
                Op::NotIn(vec![Val::Text("open".to_owned()), Val::Text("{x,y}".to_owned())]),
            ),
            4 => (at::STATE, Op::IsNull),
            5 => (at::STATE, Op::NotNull),
            6 => (at::AMOUNT, Op::Lt(self.rng.i64(-2..6))),
            7 => (at::AMOUNT, Op::Le(self.rng.i64(-2..6))),
            8 => (at::AMOUNT, Op::Gt(self.rng.i64(-2..6))),
            9 => (at::AMOUNT, Op::Ge(self.rng.i64(-2..6))),
            10 => (at::AMOUNT, Op::NotIn(vec![Val::Int(1), Val::Int(2)])),
            _ => (at::GENERATED, Op::Ne(Val::Int(3))),
        }
    }

    pub(super) fn transforms(&mut self, table: &Table) -> Vec<(usize, Transform)> {
        const UNITS: &[&str] = &["week", "month", "quarter", "year", "decade", "hour", "day"];
        let truncate = |rng: &mut Rng| Transform::TruncateIp {
            v4: *pick(rng, &[8, 16, 24, 32]),
            v6: *pick(rng, &[32, 48, 64]),
        };
        let mut all = Vec::new();
        let email = match self.rng.usize(0..3) {
            0 => Transform::Null,
            1 => Transform::Constant((*pick(&mut self.rng, &["gone", "", "it's \"x\" \\"])).to_owned()),
            _ => Transform::Hmac,
        };
        all.push((at::EMAIL, email));
        let phone = if self.rng.bool() {
            Transform::Hmac
        } else {
            Transform::Constant("$1".to_owned())
        };
        all.push((at::PHONE, phone));
        let ip = if self.rng.bool() {
            truncate(&mut self.rng)
        } else {
            Transform::Null
        };
        all.push((at::IP, ip));
        all.push((at::IP_TEXT, truncate(&mut self.rng)));
        all.push((at::BORN, Transform::Generalise(UNITS[self.rng.usize(0..5)])));
        all.push((at::SEEN, Transform::Generalise(UNITS[self.rng.usize(0..UNITS.len())])));
        for key in &table.keys {
            if key.ours.iter().all(|place| !table.columns[*place].not_null) && one_in(&mut self.rng, 4) {
                all.extend(key.ours.iter().map(|place| (*place, Transform::Null)));
            }
        }
        loop {
            let some: Vec<_> = all.iter().filter(|_| self.rng.bool()).cloned().collect();
            if !some.is_empty() {
                return some;
            }
        }
    }

    pub(super) fn rule(&mut self, tables: &[Table], position: usize, term: Term) -> Rule {
        let table = &tables[position];
        let mut conditions: Vec<(usize, Op)> = Vec::new();
        for _ in 0..*pick(&mut self.rng, &[0, 0, 0, 1, 2]) {
            let condition = self.condition();
            conditions.push(condition);
        }
        let age = (!one_in(&mut self.rng, 6) || conditions.is_empty()).then_some(term);
        let action = if one_in(&mut self.rng, 3) {
            Action::Anonymise(self.transforms(table))
        } else {
            Action::Delete
        };
        Rule {
            table: position,
            cascade: action == Action::Delete && self.rng.bool(),
            action,
            age,
            conditions,
            max_rows: one_in(&mut self.rng, 6).then(|| self.rng.u64(300..2000)),
            subject: self.rng.bool(),
        }
    }

    pub(super) fn holds(&mut self, tables: &[Table]) -> Vec<Hold> {
        let mut holds = Vec::new();
        let count = if self.holds { self.rng.usize(1..4) } else { 0 };
        for _ in 0..count {
            if one_in(&mut self.rng, 3) {
                holds.push(Hold::Subject(format!("s{}", self.rng.usize(0..30))));
                continue;
            }
            let position = self.rng.usize(0..tables.len());
            let id = self.rng.usize(0..tables[position].rows.len().max(1));
            holds.push(match self.rng.usize(0..6) {
                0 => Hold::Value(position, at::SUBJECT, format!("s{}", self.rng.usize(0..30))),
                1 => Hold::Value(position, at::STATE, "it's".to_owned()),
                _ => Hold::Value(position, at::ID, id.to_string()),
            });
        }
        holds
    }
}
