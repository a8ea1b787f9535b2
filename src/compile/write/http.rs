//! The mapping from HTTP as tables.

use zerocopy::IntoBytes;

use crate::compile::http::{Http, PartInfo, RouteInfo, TemplateInfo};
use crate::compile::intern::Runs;
use crate::compile::layout::{
    HttpHeaderRecord, HttpPartRecord, HttpRouteRecord, HttpTemplateRecord, HttpValueRecord, NONE, Section, header_flags,
};

use super::Tables;

#[derive(Default)]
struct Stored {
    parts: Runs<HttpPartRecord>,
    templates: Runs<HttpTemplateRecord>,
    values: Runs<HttpValueRecord>,
}

impl Tables {
    /// Routes, templates and headers.
    pub(in crate::compile) fn write_http(&mut self, http: &Http) {
        let mut stored = Stored::default();
        for route in &http.routes {
            let record = self.route(route, &mut stored);
            self.push(Section::HttpRoutes, &record);
        }
        self.push_bytes(Section::HttpParts, stored.parts.items.as_bytes());
        self.push_bytes(Section::HttpTemplates, stored.templates.items.as_bytes());
        self.push_bytes(Section::HttpValues, stored.values.items.as_bytes());
        for header in &http.headers {
            let record = HttpHeaderRecord {
                sort: header.sort as u8,
                told: header.told,
                reserved: [0; 2],
                name: self.strings.intern(&header.name).into(),
                text: header.text.as_ref().map_or(NONE, |text| self.strings.intern(text)).into(),
            };
            self.push(Section::HttpHeaders, &record);
        }
        if http.tell_reason {
            self.flags |= header_flags::HTTP_REASONS;
        }
    }

    fn route(&mut self, route: &RouteInfo, stored: &mut Stored) -> HttpRouteRecord {
        let (path, path_end) = self.parts(&route.path, stored);
        let resource = self.template(&route.resource, stored);
        let (resource, _) = stored.templates.intern(vec![resource]);
        let parent = route.parent.as_ref().map_or(NONE, |parent| {
            let parent = self.template(parent, stored);
            stored.templates.intern(vec![parent]).0
        });
        let subjects = route.subjects.iter().map(|subject| self.template(subject, stored)).collect();
        let (subjects, subjects_end) = stored.templates.intern(subjects);
        let values = route.values.iter().map(|value| {
            let (part, _) = self.parts(std::slice::from_ref(&value.part), stored);
            HttpValueRecord {
                owner: value.owner as u8,
                kind: value.kind as u8,
                item_kind: value.item_kind as u8,
                reserved: 0,
                name: self.strings.intern(&value.name).into(),
                part: part.into(),
                reference: value.reference.as_ref().map_or(NONE, |kind| self.strings.intern(kind)).into(),
            }
        });
        let values = values.collect();
        let (values, values_end) = stored.values.intern(values);
        HttpRouteRecord {
            method: self.strings.intern(&route.method).into(),
            host: route.host.as_ref().map_or(NONE, |host| self.strings.intern(host)).into(),
            path: path.into(),
            path_end: path_end.into(),
            action: self.strings.intern(&route.action).into(),
            resource: resource.into(),
            parent: parent.into(),
            subjects: subjects.into(),
            subjects_end: subjects_end.into(),
            values: values.into(),
            values_end: values_end.into(),
        }
    }

    fn template(&mut self, template: &TemplateInfo, stored: &mut Stored) -> HttpTemplateRecord {
        let (parts, parts_end) = self.parts(&template.parts, stored);
        let kind = self.strings.intern(&template.kind).into();
        HttpTemplateRecord { kind, parts: parts.into(), parts_end: parts_end.into() }
    }

    fn parts(&mut self, parts: &[PartInfo], stored: &mut Stored) -> (u32, u32) {
        let records = parts.iter().map(|part| HttpPartRecord {
            sort: part.sort as u8,
            reserved: [0; 3],
            text: self.strings.intern(&part.text).into(),
        });
        let records = records.collect();
        stored.parts.intern(records)
    }
}
