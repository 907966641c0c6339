//! Owns what a column becomes. Written from the documentation alone.

use crate::case::{HMAC_KEY, Transform, Val};
use crate::time;
use sha2::{Digest as _, Sha256};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The anonymous value.
pub(crate) fn apply(transform: &Transform, value: &Val, text_column: bool) -> Val {
    match (transform, value) {
        (Transform::Constant(constant), _) => Val::Text(constant.clone()),
        (Transform::Null, _) | (_, Val::Null) => Val::Null,
        (Transform::Hmac, Val::Text(text)) if is_hmac(text) => value.clone(),
        (Transform::Hmac, Val::Text(text)) => Val::Text(format!("hmac:{}", hmac(HMAC_KEY, text))),
        (Transform::TruncateIp { v4, v6 }, Val::Text(text)) => match network(text, *v4, *v6) {
            Some((address, _, _)) if text_column => Val::Text(address.to_string()),
            Some((address, bits, whole)) if bits == whole => Val::Text(address.to_string()),
            Some((address, bits, _)) => Val::Text(format!("{address}/{bits}")),
            None => Val::Null,
        },
        (Transform::Generalise(unit), Val::Time(moment)) => Val::Time(time::beginning(*moment, unit)),
        (transform, value) => panic!("{transform:?} of {value:?}"),
    }
}

fn is_hmac(text: &str) -> bool {
    text.strip_prefix("hmac:")
        .is_some_and(|rest| rest.len() == 64 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// RFC 2104.
fn hmac(key: &str, text: &str) -> String {
    let padded = |with: u8| -> Vec<u8> {
        let mut key = key.as_bytes().to_vec();
        key.resize(64, 0);
        key.iter().map(|byte| byte ^ with).collect()
    };
    let inner = Sha256::digest([padded(0x36), text.as_bytes().to_vec()].concat());
    hex::encode(Sha256::digest([padded(0x5c), inner.to_vec()].concat()))
}

/// Network, its bits, bits of an address; the text may say fewer bits by itself.
fn network(text: &str, v4: u8, v6: u8) -> Option<(IpAddr, u8, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    Some(match address.parse().ok()? {
        IpAddr::V4(address) => {
            let bits = bits.unwrap_or(32).min(v4);
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            (Ipv4Addr::from(u32::from(address) & mask).into(), bits, 32)
        }
        IpAddr::V6(address) => {
            let bits = bits.unwrap_or(128).min(v6);
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            (Ipv6Addr::from(u128::from(address) & mask).into(), bits, 128)
        }
    })
}
