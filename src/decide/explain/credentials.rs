//! What an explanation says of the credential that asks.

use crate::compile::layout::{DemandRecord, EntityRecord, type_flags};
use crate::decide::credentials::{Asker, Asking, Part};
use crate::decide::truth::Truth;
use crate::index::Corrupt;
use crate::model::Request;

use super::Teller;

impl Teller<'_> {
    /// What of the credential's scope does not cover.
    pub(super) fn credential_scope(&self) -> Result<String, Corrupt> {
        let mut room = None;
        let question = self.question(&mut room)?;
        let Some(key) = &question.credential else { return Err(Corrupt) };
        let name = self.request.subject;
        let mut why = Vec::new();
        for part in [Part::Scopes, Part::Within, Part::Permissions] {
            let covers = question.part_covers(key, part)?;
            let scopes = || Ok(question.credential_scopes(key)?.join("`, `"));
            match (part, covers) {
                (_, Truth::True) => {}
                (Part::Scopes, Truth::False) => why.push(format!("none of its scopes `{}` covers this", scopes()?)),
                (Part::Scopes, Truth::Unknown) => why.push(format!(
                    "whether one of its scopes `{}` covers this is unknown, because a context key is missing or of a wrong type",
                    scopes()?
                )),
                (Part::Within, _) => {
                    why.push(format!("it is limited to `{}`", question.credential_range(key)?.join("`, `")));
                }
                (Part::Permissions, _) => why.push("its own list of permissions leaves this out".to_owned()),
            }
        }
        Ok(format!("`{name}` is a credential: {}", why.join("; ")))
    }

    /// Who is disabled, and why.
    pub(super) fn disabled(&self) -> Result<String, Corrupt> {
        let subject = self.request.subject;
        let Some(owner) = self.owner()? else { return Ok(format!("denied: `{subject}` is disabled")) };
        Ok(format!("denied: the credential `{subject}` or its owner `{owner}` is disabled, or it is not in force now"))
    }

    /// The owner of the credential that asks.
    pub(super) fn owner(&self) -> Result<Option<String>, Corrupt> {
        let Some((kind, record)) = self.index.type_named(self.request.subject.kind)? else { return Ok(None) };
        if record.flags.get() & type_flags::CREDENTIAL == 0 {
            return Ok(None);
        }
        let entity = self.index.entity_named(kind, self.request.subject.id)?.ok_or(Corrupt)?;
        let record: &EntityRecord = self.index.record(entity)?;
        self.index.entity_name(record.parent.get()).map(Some)
    }

    /// The context key that the credential's type demands and the request lacks.
    pub(super) fn demanded(&self) -> Result<Option<&str>, Corrupt> {
        let Request { subject, subject_properties, context, .. } = self.request;
        let Ok(asking) = Asking::named(self.index, *subject) else { return Ok(None) };
        let asker = Asker::find(self.index, &asking, subject_properties, self.time);
        let Ok(Asker { key: Some(key), .. }) = asker else { return Ok(None) };
        let missing = key.missing(self.index, context)?;
        let name = |demand: &DemandRecord| self.index.text(self.index.attribute(demand.attribute.get())?.name.get());
        missing.map(name).transpose()
    }
}
