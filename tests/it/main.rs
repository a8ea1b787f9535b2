//! The tests that look at the whole: the studios' cases, the reference engine, the properties.
//!
//! One binary, so that the crate is linked once. What a single module promises is tested beside that module.

#[cfg(test)]
mod administration;
#[cfg(test)]
mod adversarial;
#[cfg(test)]
mod credential_cases;
#[cfg(test)]
mod credential_errors;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod far;
#[cfg(test)]
mod general_cases;
#[cfg(test)]
mod group_cases;
#[cfg(test)]
mod inline;
#[cfg(test)]
mod level_cases;
#[cfg(test)]
mod load_errors;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod parameter_cases;
#[cfg(test)]
mod pin_cases;
#[cfg(test)]
mod print;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod purview_cases;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod regressions;
#[cfg(test)]
mod requires_cases;
#[cfg(test)]
mod result_cases;
#[cfg(test)]
mod result_equals_load;
#[cfg(test)]
mod seat_cases;
#[cfg(test)]
mod studio_cases;
#[cfg(test)]
mod superuser_cases;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tenant_cases;
#[cfg(test)]
mod universe;
