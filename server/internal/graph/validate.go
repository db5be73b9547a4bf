package graph

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of what people may write about an entity.
const (
	MaxNameRunes        = 300
	MaxDescriptionRunes = 5_000
	MaxAliases          = 100
	MaxExternalIDs      = 20
	MaxExternalRunes    = 300
	MaxAttributeBytes   = 16 << 10
	maxFilterTypes      = 20
)

// normalizeEntity brings an entity into the form that is stored: trimmed, with
// its name key, aliases without repetition and compact attributes. CodeInvalid
// lists every field that breaks a rule.
func normalizeEntity(e *kgl.Entity) error {
	var faults faults
	e.Name = written(e.Name)
	e.NameKey = kgl.NormalizeName(e.Name)
	faults.add("name", nameFault(e.Name))
	if !kgl.ValidType(e.Type) {
		faults = append(faults, invalidType("type").Fields...)
	}
	e.Description = strings.TrimSpace(e.Description)
	faults.add("description", textFault(e.Description, 0, MaxDescriptionRunes))
	if !(e.Confidence >= 0 && e.Confidence <= 1) { // false for NaN too
		faults.add("confidence", "must be from 0 to 1")
	}
	if len(e.Aliases) > MaxAliases {
		faults.add("aliases", fmt.Sprintf("must be at most %d", MaxAliases))
	} else {
		e.Aliases = normalizeAliases(e.Aliases, &faults)
	}
	e.ExternalIDs = normalizeExternalIDs(e.ExternalIDs, &faults)
	attributes, fault := normalizeAttributes(e.Attributes)
	e.Attributes = attributes
	faults.add("attributes", fault)
	return faults.err()
}

// normalizeAliases trims the aliases, drops those that repeat an earlier one in
// the comparison of names, and puts them in the order in which the store
// returns them.
func normalizeAliases(aliases []string, faults *faults) []string {
	byKey := map[string]string{}
	for i, a := range aliases {
		a = written(a)
		if fault := nameFault(a); fault != "" {
			faults.add(fmt.Sprintf("aliases[%d]", i), fault)
			continue
		}
		if key := kgl.NormalizeName(a); byKey[key] == "" {
			byKey[key] = a
		}
	}
	kept := make([]string, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		kept = append(kept, byKey[key])
	}
	return kept
}

// schemePattern is what the contract allows as the scheme of an external id.
var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,39}$`)

// normalizeExternalIDs trims the values, drops repetitions and puts the ids in
// the order in which the store returns them.
func normalizeExternalIDs(ids []kgl.ExternalID, faults *faults) []kgl.ExternalID {
	if len(ids) > MaxExternalIDs {
		faults.add("external_ids", fmt.Sprintf("must be at most %d", MaxExternalIDs))
		return nil
	}
	kept := make([]kgl.ExternalID, 0, len(ids))
	for i, x := range ids {
		x.Value = strings.TrimSpace(x.Value)
		if !schemePattern.MatchString(x.Scheme) {
			faults.add(fmt.Sprintf("external_ids[%d].scheme", i), "must be a lower-case word of at most 40 letters, digits, dots, hyphens and underscores")
		}
		if fault := textFault(x.Value, 1, MaxExternalRunes); fault != "" {
			faults.add(fmt.Sprintf("external_ids[%d].value", i), fault)
		}
		kept = append(kept, x)
	}
	slices.SortFunc(kept, func(a, b kgl.ExternalID) int {
		return cmp.Or(cmp.Compare(a.Scheme, b.Scheme), cmp.Compare(a.Value, b.Value))
	})
	return slices.Compact(kept)
}

// normalizeAttributes returns the compact form of a JSON object, or what is
// wrong with it.
func normalizeAttributes(raw json.RawMessage) (json.RawMessage, string) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage(`{}`), ""
	}
	if len(raw) > MaxAttributeBytes {
		return nil, fmt.Sprintf("must be at most %d bytes", MaxAttributeBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	var object map[string]any
	err := decoder.Decode(&object)
	// Readers that keep numbers as doubles would fail on a whole list for it.
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && strings.HasPrefix(mistyped.Value, "number ") {
		return nil, "must not hold a number that is too large for a double"
	}
	if err != nil || object == nil {
		return nil, "must be a JSON object"
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, "must be one JSON object"
	}
	if !utf8.Valid(raw) || holdsNUL(object) {
		return nil, "must not hold the NUL character or invalid UTF-8"
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, "must be a JSON object"
	}
	return compact.Bytes(), ""
}

// holdsNUL reports whether a string of the value holds a NUL, which Postgres
// cannot keep.
func holdsNUL(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, holdsNUL)
	case map[string]any:
		for key, element := range v {
			if strings.ContainsRune(key, 0) || holdsNUL(element) {
				return true
			}
		}
	}
	return false
}

// nameFault tells what is wrong with a name or an alias; empty when nothing.
func nameFault(name string) string {
	if fault := textFault(name, 1, MaxNameRunes); fault != "" {
		return fault
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return "must not hold control characters"
	}
	if kgl.NormalizeName(name) == "" {
		return "must hold a letter or a digit"
	}
	return ""
}

func textFault(text string, least, most int) string {
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return "must not hold the NUL character or invalid UTF-8"
	case n < least || n > most:
		return fmt.Sprintf("must have %d to %d characters", least, most)
	}
	return ""
}

// changedFields names the fields in which two entities differ, for the event
// and the audit row.
func changedFields(a, b kgl.Entity) []string {
	var fields []string
	for _, f := range []struct {
		name    string
		changed bool
	}{
		{"name", a.Name != b.Name},
		{"type", a.Type != b.Type},
		{"description", a.Description != b.Description},
		{"aliases", !slices.Equal(a.Aliases, b.Aliases)},
		{"external_ids", !slices.Equal(a.ExternalIDs, b.ExternalIDs)},
		{"attributes", !bytes.Equal(a.Attributes, b.Attributes)},
		{"confidence", a.Confidence != b.Confidence},
		{fieldStatus, a.Status != b.Status},
	} {
		if f.changed {
			fields = append(fields, f.name)
		}
	}
	return fields
}

func checkEntityFilter(f kgl.EntityFilter) error {
	var faults faults
	faults.addTypes(f.Types)
	for _, status := range f.Statuses {
		if status != kgl.EntityActive && status != kgl.EntityMerged && status != kgl.EntityRejected {
			faults.add("status", "must be active, merged or rejected")
			break
		}
	}
	faults.add("name", textFault(f.NamePrefix, 0, MaxNameRunes))
	if !(f.MinConfidence >= 0 && f.MinConfidence <= 1) {
		faults.add("min_confidence", "must be from 0 to 1")
	}
	return faults.err()
}

// faults gathers what is wrong with several fields.
type faults []kgl.FieldError

func (f *faults) add(field, message string) {
	if message != "" {
		*f = append(*f, kgl.FieldError{Field: field, Message: message})
	}
}

// addTypes checks the types of a filter.
func (f *faults) addTypes(types []string) {
	if len(types) > maxFilterTypes {
		f.add("type", fmt.Sprintf("must be at most %d types", maxFilterTypes))
	}
	if slices.ContainsFunc(types, func(t string) bool { return !kgl.ValidType(t) }) {
		*f = append(*f, invalidType("type").Fields...)
	}
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &kgl.Error{Code: kgl.CodeInvalid, Message: f[0].Field + ": " + f[0].Message, Fields: f}
}
