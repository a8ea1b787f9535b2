//! Lists, page by page or whole.

use super::{Client, ClientError, answer};
use crate::service::proto::v1;

/// A whole list: every page of it, from one snapshot and one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// Who or what is allowed, by type and then id.
    pub entities: Vec<v1::Entity>,
    /// How many were left out because a missing value left them undetermined.
    pub undetermined: u64,
    /// The snapshot that answered.
    pub snapshot: v1::SnapshotRef,
    /// The moment of the decision.
    pub evaluated_at: Option<prost_types::Timestamp>,
}

impl Client {
    /// One page of the resources on which a subject may do an action.
    ///
    /// # Errors
    /// No answer: to be treated as nothing.
    pub async fn list_resources(
        &self,
        request: v1::ListResourcesRequest,
    ) -> Result<v1::ListResourcesResponse, ClientError> {
        answer(self.stub().list_resources(self.request(request)).await)
    }

    /// One page of the subjects who may do an action on a resource.
    ///
    /// # Errors
    /// No answer: to be treated as nothing.
    pub async fn list_subjects(
        &self,
        request: v1::ListSubjectsRequest,
    ) -> Result<v1::ListSubjectsResponse, ClientError> {
        answer(self.stub().list_subjects(self.request(request)).await)
    }

    /// One page of the levels of a subject at a scope.
    ///
    /// # Errors
    /// No answer.
    pub async fn list_levels(&self, request: v1::ListLevelsRequest) -> Result<v1::ListLevelsResponse, ClientError> {
        answer(self.stub().list_levels(self.request(request)).await)
    }

    /// The levels of a subject at a scope, whole: from the page that the request names to the last, with the snapshot
    /// and the moment of the answer.
    ///
    /// # Errors
    /// As [`Client::every_resource`].
    pub async fn every_level(&self, mut request: v1::ListLevelsRequest) -> Result<v1::ListLevelsResponse, ClientError> {
        let mut levels = Vec::new();
        loop {
            let mut page = self.list_levels(request.clone()).await?;
            levels.append(&mut page.levels);
            if page.next_page_token.is_empty() {
                return Ok(v1::ListLevelsResponse { levels, ..page });
            }
            request.page_token = page.next_page_token;
        }
    }

    /// How many seats are taken.
    ///
    /// # Errors
    /// No answer.
    pub async fn count_seats(&self, request: v1::CountSeatsRequest) -> Result<v1::CountSeatsResponse, ClientError> {
        answer(self.stub().count_seats(self.request(request)).await)
    }

    /// Whether a subject may change who holds what, and what would be wrong with the result.
    ///
    /// # Errors
    /// No answer: to be treated as a denial.
    pub async fn check_grant(&self, request: v1::AuthorizeRequest) -> Result<v1::CheckGrantResponse, ClientError> {
        let request = v1::CheckGrantRequest { request: Some(request) };
        answer(self.stub().check_grant(self.request(request)).await)
    }

    /// The same list, whole: from the page that the request names to the last.
    ///
    /// # Errors
    /// A page without an answer, as when another snapshot goes live meanwhile: the list is to be asked for again.
    pub async fn every_resource(&self, mut request: v1::ListResourcesRequest) -> Result<Listed, ClientError> {
        let mut listed = Listed::default();
        loop {
            let v1::ListResourcesResponse {
                resources,
                next_page_token,
                undetermined_count,
                snapshot,
                evaluated_at,
                ..
            } = self.list_resources(request.clone()).await?;
            listed.add(resources, undetermined_count, snapshot, evaluated_at);
            if next_page_token.is_empty() {
                return Ok(listed);
            }
            request.page_token = next_page_token;
        }
    }

    /// The same list, whole: from the page that the request names to the last.
    ///
    /// # Errors
    /// As [`Client::every_resource`].
    pub async fn every_subject(&self, mut request: v1::ListSubjectsRequest) -> Result<Listed, ClientError> {
        let mut listed = Listed::default();
        loop {
            let v1::ListSubjectsResponse {
                subjects, next_page_token, undetermined_count, snapshot, evaluated_at, ..
            } = self.list_subjects(request.clone()).await?;
            listed.add(subjects, undetermined_count, snapshot, evaluated_at);
            if next_page_token.is_empty() {
                return Ok(listed);
            }
            request.page_token = next_page_token;
        }
    }
}

impl Listed {
    fn add(
        &mut self,
        entities: Vec<v1::Entity>,
        undetermined: u32,
        snapshot: Option<v1::SnapshotRef>,
        evaluated_at: Option<prost_types::Timestamp>,
    ) {
        self.entities.extend(entities);
        self.undetermined = self.undetermined.saturating_add(u64::from(undetermined));
        // The same on every page.
        self.snapshot = snapshot.unwrap_or_default();
        self.evaluated_at = evaluated_at;
    }
}
