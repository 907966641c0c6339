//! Owns `/v1/policies`. A write recompiles every policy inside OPA's write lock; one that is
//! byte-identical to what OPA has costs nothing.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;

use crate::body::Chunks;
use crate::client::{Call, OpaClient, segments};
use crate::error::OpaError;
use crate::path::is_usable_policy_id;

/// A policy as OPA has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PolicyInfo {
    /// `cos.abac` as given to PUT; `<bundle>/<entry name>` for policies of a bundle.
    pub id: String,
    /// The source text.
    #[serde(default)]
    pub raw: String,
}

#[derive(Deserialize)]
struct Wrapped<T> {
    result: T,
}

const ALL: [&str; 2] = ["v1", "policies"];

impl OpaClient {
    /// `GET /v1/policies`: all policies, also those of bundles. Large: OPA adds the syntax trees, which are skipped here.
    pub async fn list_policies(&self) -> Result<Vec<PolicyInfo>, OpaError> {
        let call = Call::new(Method::GET, "GET /v1/policies", segments(&ALL, []));
        let answer: Wrapped<Option<Vec<PolicyInfo>>> = self.call(call).await?.json()?;
        Ok(answer.result.unwrap_or_default())
    }

    /// `GET /v1/policies/{id}`; none if OPA has no such policy.
    pub async fn get_policy(&self, id: &str) -> Result<Option<PolicyInfo>, OpaError> {
        let answer = self.call(one(Method::GET, "GET /v1/policies/{id}", id)?).await?;
        match answer.json::<Wrapped<PolicyInfo>>() {
            Ok(found) => Ok(Some(found.result)),
            Err(OpaError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `PUT /v1/policies/{id}`: adds or replaces one policy.
    ///
    /// # Errors
    /// [`OpaError::Compile`] if the policies do not compile with it, [`OpaError::OwnedByBundle`] if its package
    /// or the policy of this id belongs to a bundle; OPA then keeps what it had.
    pub async fn put_policy(&self, id: &str, rego: &str) -> Result<(), OpaError> {
        let body = Chunks::from(Bytes::copy_from_slice(rego.as_bytes()));
        let call = one(Method::PUT, "PUT /v1/policies/{id}", id)?.with_body("text/plain", body);
        self.call(call).await?.done()
    }

    /// `DELETE /v1/policies/{id}`; whether OPA had it.
    ///
    /// # Errors
    /// [`OpaError::StillNeeded`] if other policies do not compile without it.
    pub async fn delete_policy(&self, id: &str) -> Result<bool, OpaError> {
        let answer = self.call(one(Method::DELETE, "DELETE /v1/policies/{id}", id)?).await?;
        let was_refused = answer.status == StatusCode::BAD_REQUEST;
        match answer.done() {
            Ok(()) => Ok(true),
            Err(OpaError::NotFound { .. }) => Ok(false),
            Err(OpaError::Compile { errors, .. }) if was_refused => Err(OpaError::StillNeeded {
                id: id.to_owned(),
                errors,
            }),
            Err(error) => Err(error),
        }
    }
}

fn one(method: Method, endpoint: &'static str, id: &str) -> Result<Call, OpaError> {
    if !is_usable_policy_id(id) {
        return Err(OpaError::BadPolicyId { id: id.to_owned() });
    }
    Ok(Call::new(method, endpoint, segments(&ALL, [id])))
}
