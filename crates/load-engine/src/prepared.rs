//! A plan's request, ready to be sent: everything that does not change is made once.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use load_plan::plan::{self, Data};
use load_plan::schedule::Arrival;
use load_plan::template::Template;

/// A part of a request.
enum Part<T> {
    Fixed(T),
    PerRow(Template),
}

/// Why a request cannot be made from a row of the data file.
#[derive(Debug, thiserror::Error)]
#[error("the {what} made from row {row} of the data file is not valid HTTP")]
pub(crate) struct NotHttp {
    what: String,
    row: usize,
}

pub(crate) struct Prepared {
    /// Index of its pool.
    pub(crate) origin: usize,
    pub(crate) checks: u32,
    /// Whether a check needs the response's body.
    pub(crate) needs_body: bool,
    method: Method,
    scheme: Scheme,
    authority: Authority,
    target: Part<PathAndQuery>,
    /// All fixed headers.
    headers: HeaderMap,
    moving_headers: Vec<(HeaderName, Template)>,
    body: Part<Bytes>,
}

/// A request of the plan that is no HTTP. The plan checks this; a difference between the two would be a bug.
#[derive(Debug, thiserror::Error)]
#[error("the {0} of a request is not valid HTTP")]
pub(crate) struct Impossible(pub(crate) &'static str);

impl Prepared {
    pub(crate) fn new(
        request: &plan::Request,
        origin: usize,
        scheme: &str,
        authority: &str,
        needs_body: bool,
    ) -> Result<Self, Impossible> {
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 2);
        let mut moving_headers = Vec::new();
        for (name, value) in &request.headers {
            match value.fixed() {
                Some(text) => {
                    let mut value = HeaderValue::from_str(text).map_err(|_| Impossible("header value"))?;
                    value.set_sensitive(true);
                    headers.append(name.clone(), value);
                }
                None => moving_headers.push((name.clone(), value.clone())),
            }
        }
        if !headers.contains_key(HOST) && !moving_headers.iter().any(|(name, _)| name == HOST) {
            headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| Impossible("host"))?);
        }
        Ok(Self {
            origin,
            checks: request.checks,
            needs_body,
            method: request.method.clone(),
            scheme: scheme.parse().map_err(|_| Impossible("scheme"))?,
            authority: authority.parse().map_err(|_| Impossible("host"))?,
            target: match request.target.fixed() {
                Some(text) => Part::Fixed(text.parse().map_err(|_| Impossible("path"))?),
                None => Part::PerRow(request.target.clone()),
            },
            headers,
            moving_headers,
            body: match &request.body {
                None => Part::Fixed(Bytes::new()),
                Some(template) => match template.fixed() {
                    Some(text) => Part::Fixed(Bytes::copy_from_slice(text.as_bytes())),
                    None => Part::PerRow(template.clone()),
                },
            },
        })
    }

    /// The request for one arrival.
    pub(crate) fn build(
        &self,
        arrival: &Arrival,
        data: Option<&Data>,
        seed: u64,
        http2: bool,
    ) -> Result<Request<Full<Bytes>>, NotHttp> {
        let index = data.map_or(0, |data| row_index(data, arrival.seq, seed));
        let row = data.map(|data| data.rows[index].as_slice());
        let refused = |what: &str| NotHttp {
            what: what.to_owned(),
            row: index + 1,
        };
        let mut text = String::new();
        let path = match &self.target {
            Part::Fixed(path) => path.clone(),
            Part::PerRow(template) => {
                template.render(row, arrival.seq, &mut text);
                text.parse().map_err(|_| refused("path"))?
            }
        };
        let mut headers = self.headers.clone();
        for (name, template) in &self.moving_headers {
            text.clear();
            template.render(row, arrival.seq, &mut text);
            let mut value =
                HeaderValue::from_str(&text).map_err(|_| refused(&format!("value of the header {name}")))?;
            value.set_sensitive(true);
            headers.append(name.clone(), value);
        }
        let body = match &self.body {
            Part::Fixed(bytes) => bytes.clone(),
            Part::PerRow(template) => {
                text.clear();
                template.render(row, arrival.seq, &mut text);
                Bytes::from(text)
            }
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = if http2 {
            // The host travels as `:authority`; a length that somebody set by hand would have to match every row.
            let host = headers.remove(HOST);
            headers.remove(CONTENT_LENGTH);
            let authority = host
                .and_then(|host| Authority::try_from(host.as_bytes()).ok())
                .unwrap_or_else(|| self.authority.clone());
            Uri::builder()
                .scheme(self.scheme.clone())
                .authority(authority)
                .path_and_query(path)
                .build()
                .map_err(|_| refused("address"))?
        } else {
            Uri::from(path)
        };
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Which row an arrival uses: one after the other, or scattered by the seed. The same row for the same arrival in whichever
/// thread it is sent.
fn row_index(data: &Data, seq: u64, seed: u64) -> usize {
    let count = data.rows.len().max(1);
    if data.random {
        // Forked, because the first numbers of neighbouring seeds are alike.
        fastrand::Rng::with_seed(seq ^ seed).fork().usize(..count)
    } else {
        usize::try_from(seq % count as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(random: bool) -> Data {
        Data {
            columns: vec!["name".to_owned()],
            rows: (0..10).map(|row| vec![row.to_string()]).collect(),
            random,
        }
    }

    #[test]
    fn rows_in_order_begin_again() {
        let data = data(false);
        let rows: Vec<usize> = (8..12).map(|seq| row_index(&data, seq, 7)).collect();
        assert_eq!(rows, [8, 9, 0, 1]);
    }

    #[test]
    fn scattered_rows_are_used_alike_and_follow_each_other_in_every_order() {
        let data = data(true);
        let rows: Vec<usize> = (0..50_000).map(|seq| row_index(&data, seq, 7)).collect();
        let mut pairs = [[0_u32; 10]; 10];
        for pair in rows.windows(2) {
            pairs[pair[0]][pair[1]] += 1;
        }
        // 500 of each are expected, with a standard deviation of 22.
        for count in pairs.iter().flatten() {
            assert!((380..=620).contains(count), "{pairs:?}");
        }
        let again: Vec<usize> = (0..50_000).map(|seq| row_index(&data, seq, 7)).collect();
        assert_eq!(rows, again);
        let other: Vec<usize> = (0..50_000).map(|seq| row_index(&data, seq, 8)).collect();
        assert_ne!(rows, other);
    }
}
