package graph

import (
	"slices"
	"testing"
)

// TestOtherSpaces holds that names are found which are written apart or joined.
func TestOtherSpaces(t *testing.T) {
	w := newWorld(t)
	w.add("platform", "Ko-fi", NewEntity{})
	w.add("organization", "OpenAI", NewEntity{})
	for text, want := range map[string]string{
		"kofi": "Ko-fi similar Ko-fi 0.95", "open AI": "OpenAI similar OpenAI 0.95", "Open-AI": "OpenAI similar OpenAI 0.95",
	} {
		found, err := w.entities.Suggest(w.ctx, text, nil, 1)
		w.must(err)
		if have := matchesOf(found); !slices.Equal(have, []string{want}) {
			t.Errorf("%q suggests %q, want %q", text, have, want)
		}
	}
	found, err := w.entities.Resolve(w.ctx, []Name{{Name: "kofi", Type: "platform"}, {Name: "Open AI"}, {Name: "KoFi", Type: "person"}}, 1, 0.75)
	w.must(err)
	for i, want := range []string{"Ko-fi similar Ko-fi 0.85", "OpenAI similar OpenAI 0.85", "Ko-fi similar Ko-fi 0.76"} {
		if have := matchesOf(found[i]); !slices.Equal(have, []string{want}) {
			t.Errorf("name %d resolves to %q, want %q", i, have, want)
		}
	}
}
