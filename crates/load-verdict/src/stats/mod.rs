//! The statistics, each with its source. Pure functions of counts.
//!
//! | module | owns |
//! |---|---|
//! | [`beta`] | the incomplete beta function, on which everything else rests |
//! | [`binomial`] | tails of the binomial distribution, and the counts at which they become small |
//! | [`proportion`] | exact bounds of a share |
//! | [`order`] | exact bounds of a quantile: ranks of order statistics |
//! | [`dependence`] | how much less the samples say than independent ones would |
//! | [`sequential`] | a test that may be looked at all the time |
//! | [`compare`] | two runs: the size of the difference, with its interval |

pub mod beta;
pub mod binomial;
pub mod compare;
pub mod dependence;
pub(crate) mod numbers;
pub mod order;
pub mod proportion;
pub mod sequential;

#[cfg(test)]
pub(crate) mod tests;
