package demo

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed data/cast.json data/stories.json
var files embed.FS

// cast is who and what the stories tell of.
type cast struct {
	Organizations []organization `json:"organizations"`
	Creators      []creator      `json:"creators"`
	Platforms     []string       `json:"platforms"`
	Events        []event        `json:"events"`
	Concepts      []string       `json:"concepts"`
	Amounts       []string       `json:"amounts"`
	Numbers       []string       `json:"numbers"`
	Percents      []string       `json:"percents"`
	Months        []string       `json:"months"`
}

type organization struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"` // with its article
	City    string `json:"city"`
	Founder string `json:"founder"`
	Lead    string `json:"lead"`
	Grant   string `json:"grant"`
	Program string `json:"program"`
}

type creator struct {
	Name  string `json:"name"`
	Craft string `json:"craft"`
}

type event struct {
	Name string `json:"name"`
	City string `json:"city"`
}

// sentences are the parts that one kind of story is composed of, with
// placeholders such as {org}.
type sentences struct {
	Titles  []string `json:"titles"`
	Leads   []string `json:"leads"`
	Bodies  []string `json:"bodies"`
	Quotes  []string `json:"quotes"`
	Closers []string `json:"closers"`
}

// library is all that stories are made of. It is read-only once loaded.
type library struct {
	cast  cast
	kinds map[string]sentences
}

func loadLibrary() (*library, error) {
	var l library
	if err := decode("data/cast.json", &l.cast); err != nil {
		return nil, err
	}
	if err := decode("data/stories.json", &l.kinds); err != nil {
		return nil, err
	}
	return &l, nil
}

func decode(name string, into any) error {
	b, err := files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("demo: %s: %w", name, err)
	}
	return nil
}
