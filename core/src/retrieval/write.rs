//! Rankings and relevances as trec_eval reads them.

use super::{Qrels, Run};
use std::io::{self, ErrorKind, Write};

/// Fields stand between blanks.
fn field(id: &str) -> io::Result<&str> {
    match id.is_empty() || id.contains(char::is_whitespace) {
        true => Err(io::Error::new(ErrorKind::InvalidInput, format!("the id {id:?} has white space or nothing in it"))),
        false => Ok(id),
    }
}

/// Writes a TREC run: `query Q0 document rank score tag`, ranks from 1; scores come back bit for bit.
///
/// # Errors
/// Those of `out`; [`ErrorKind::InvalidInput`] for an id that such a file can't hold.
pub fn write_run(run: &Run, tag: &str, out: &mut dyn Write) -> io::Result<()> {
    for (query, documents) in &run.queries {
        let query = field(query)?;
        for (rank, (document, score)) in (1..).zip(documents) {
            let rank: u64 = rank;
            writeln!(out, "{query} Q0 {} {rank} {score} {}", field(document)?, field(tag)?)?;
        }
    }
    Ok(())
}

/// Writes relevances: `query 0 document relevance`.
///
/// # Errors
/// As [`write_run`].
pub fn write_qrels(qrels: &Qrels, out: &mut dyn Write) -> io::Result<()> {
    for (query, documents) in &qrels.queries {
        let query = field(query)?;
        for (document, relevance) in documents {
            writeln!(out, "{query} 0 {} {relevance}", field(document)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::{read_qrels, read_run};

    #[test]
    fn what_is_written_is_read_back() {
        let text = "q Q0 b 1 0.1 t\nq Q0 a 2 -1e-7 t\nr Q0 a 1 0.30000000000000004 t\n";
        let run = read_run(&mut text.as_bytes(), "run").expect("sound");
        let mut out = Vec::new();
        write_run(&run, "x", &mut out).expect("a Vec takes everything");
        assert_eq!(read_run(&mut &out[..], "run").expect("its own form"), run);
        assert!(out.starts_with(b"q Q0 b 1 0.1 x\nq Q0 a 2 "), "{}", String::from_utf8_lossy(&out));
        let qrels = read_qrels(&mut "q 0 a 2\nq 0 b 0\nr 0 a -1\n".as_bytes(), "qrels").expect("sound");
        out.clear();
        write_qrels(&qrels, &mut out).expect("a Vec takes everything");
        assert_eq!(read_qrels(&mut &out[..], "qrels").expect("its own form"), qrels);
    }

    #[test]
    fn ids_with_blanks_are_refused() {
        for (query, document) in [("a b", "d"), ("q", "d\u{a0}"), ("q", "")] {
            let run = Run { queries: [(query.to_owned(), vec![(document.to_owned(), 1.0)])].into() };
            let error = write_run(&run, "x", &mut Vec::new()).expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{query} {document}");
        }
    }
}
