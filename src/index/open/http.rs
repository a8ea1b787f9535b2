//! What opening checks of the mapping from HTTP: every reference leads somewhere, every code means something.

use zerocopy::little_endian::U32;

use crate::compile::layout::{
    HttpHeaderRecord, HttpHeaderSort, HttpPartRecord, HttpPartSort, HttpRouteRecord, HttpTemplateRecord, HttpTold,
    HttpValueOwner, HttpValueRecord, NONE, ValueKind,
};
use crate::index::Index;
use crate::index::read::Corrupt;

impl Index {
    pub(super) fn check_http(&self) -> Result<(), Corrupt> {
        for part in self.all::<HttpPartRecord>()? {
            HttpPartSort::from_code(part.sort).ok_or(Corrupt)?;
            self.text(part.text.get())?;
        }
        for template in self.all::<HttpTemplateRecord>()? {
            self.text(template.kind.get())?;
            self.records::<HttpPartRecord>(template.parts.get(), template.parts_end.get())?;
        }
        for value in self.all::<HttpValueRecord>()? {
            HttpValueOwner::from_code(value.owner).ok_or(Corrupt)?;
            ValueKind::from_code(value.kind).ok_or(Corrupt)?;
            ValueKind::from_code(value.item_kind).ok_or(Corrupt)?;
            self.text(value.name.get())?;
            self.record::<HttpPartRecord>(value.part.get())?;
            self.optional_text(value.reference)?;
        }
        for route in self.all::<HttpRouteRecord>()? {
            self.text(route.method.get())?;
            self.optional_text(route.host)?;
            self.text(route.action.get())?;
            self.records::<HttpPartRecord>(route.path.get(), route.path_end.get())?;
            self.record::<HttpTemplateRecord>(route.resource.get())?;
            self.optional_record::<HttpTemplateRecord>(route.parent)?;
            self.records::<HttpTemplateRecord>(route.subjects.get(), route.subjects_end.get())?;
            self.records::<HttpValueRecord>(route.values.get(), route.values_end.get())?;
        }
        for header in self.all::<HttpHeaderRecord>()? {
            HttpHeaderSort::from_code(header.sort).ok_or(Corrupt)?;
            HttpTold::from_code(header.told).ok_or(Corrupt)?;
            self.text(header.name.get())?;
            self.optional_text(header.text)?;
        }
        Ok(())
    }

    fn optional_text(&self, text: U32) -> Result<(), Corrupt> {
        if text.get() == NONE { Ok(()) } else { self.text(text.get()).map(drop) }
    }
}
