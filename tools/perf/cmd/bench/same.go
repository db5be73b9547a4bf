package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/peermesh/kgl-backend/tools/perf/internal/kglapi"
)

// answered is what the service and the reference must show alike.
type answered struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	HTML        string `json:"content_html"`
	Text        string `json:"content_text"`
	PublishedAt string `json:"published_at"`
	UpdatedAt   string `json:"updated_at"`
	Status      string `json:"status"`
	WordCount   int    `json:"word_count"`
}

// sameAnswers checks that the reference does the work that it is compared for:
// it asks both for some lists and items.
func sameAnswers(client *kglapi.Client, reference *process, lists string) error {
	other := client.At(reference.base)
	untils, err := firstLines(filepath.Join(lists, "until.txt"), 5)
	if err != nil {
		return err
	}
	ids, err := firstLines(filepath.Join(lists, "content.txt"), 5)
	if err != nil {
		return err
	}
	for _, until := range untils {
		for _, view := range []string{"full", "summary"} {
			path := "/api/v1/content?limit=20&view=" + view + "&until=" + until
			var a, b struct {
				Data []answered `json:"data"`
			}
			if err := same(client, other, path, &a, &b); err != nil {
				return err
			}
			if len(a.Data) != 20 {
				return fmt.Errorf("%s: %d items, want 20", path, len(a.Data))
			}
		}
	}
	for _, id := range ids {
		var a, b answered
		if err := same(client, other, "/api/v1/content/"+id, &a, &b); err != nil {
			return err
		}
	}
	return nil
}

func same(client, other *kglapi.Client, path string, a, b any) error {
	if err := client.Get(path, a); err != nil {
		return err
	}
	if err := other.Get(path, b); err != nil {
		return err
	}
	if !reflect.DeepEqual(a, b) {
		return fmt.Errorf("%s: the service and the reference answer differently", path)
	}
	return nil
}

func firstLines(path string, n int) ([]string, error) {
	text, err := os.ReadFile(path)
	lines := strings.Fields(string(text))
	return lines[:min(n, len(lines))], err
}
