//! Owns the HTTP client of the tests.

use std::time::Duration;

use reqwest::Method;
use runtime::http::HttpOptions;
use serde_json::Value;

/// A client that gives answers as they are, and nothing when there is no answer.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    token: Option<String>,
}

/// Status and body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Http {
    /// A client that shows this token, if one is given.
    pub fn new(token: Option<&str>) -> Self {
        let options = HttpOptions {
            no_proxy: true,
            connect_timeout: Duration::from_secs(2),
            ..HttpOptions::new("e2e/1")
        };
        Self {
            client: runtime::http::client(&options).unwrap(),
            token: token.map(str::to_owned),
        }
    }

    /// Sends a request; `None` when no whole answer comes back.
    pub async fn send(&self, method: Method, url: &str, body: Option<&Value>) -> Option<Answer> {
        let mut request = self.client.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        Some(Answer { status, text })
    }

    /// `GET`.
    pub async fn get(&self, url: &str) -> Option<Answer> {
        self.send(Method::GET, url, None).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, url: &str, body: &Value) -> Option<Answer> {
        self.send(Method::POST, url, Some(body)).await
    }
}
