//! Deletes and anonymises what the retention policy says is due, and proves it.
