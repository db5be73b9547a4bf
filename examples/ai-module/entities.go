package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/examples"
	"github.com/peermesh/kgl-backend/gen/client"
)

// region put

// putEntity creates an entity, or adds to the one that has its name and type.
func putEntity(ctx context.Context, kgl *client.ClientWithResponses, found finding) (*client.Entity, error) {
	attributes, err := addEvidence(nil, found.Evidence)
	if err != nil {
		return nil, err
	}
	// The same finding has the same key: sent twice, it is created once.
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %s", found.Evidence.ContentID, found.Evidence.Revision, found.Type, found.Name))
	key := model + ":" + hex.EncodeToString(sum[:])
	created, err := kgl.CreateEntityWithResponse(ctx, &client.CreateEntityParams{IdempotencyKey: &key}, client.EntityCreate{
		Name: found.Name, Type: found.Type, Confidence: &found.Confidence, Attributes: &attributes,
	})
	if err != nil {
		return nil, err
	}
	switch created.StatusCode() {
	case http.StatusCreated:
		return created.JSON201, nil
	case http.StatusConflict: // it exists: add to it
	default:
		return nil, examples.Failed("create entity", created.StatusCode(), created.Body)
	}
	known, err := findEntity(ctx, kgl, found)
	if err != nil {
		return nil, err
	}
	return extendEntity(ctx, kgl, known.ID, found)
}

// extendEntity adds the evidence to an entity that others change too.
func extendEntity(ctx context.Context, kgl *client.ClientWithResponses, id string, found finding) (*client.Entity, error) {
	for range 5 {
		read, err := kgl.GetEntityWithResponse(ctx, id, nil)
		if err != nil {
			return nil, err
		}
		if read.JSON200 == nil {
			return nil, examples.Failed("read entity", read.StatusCode(), read.Body)
		}
		attributes, err := addEvidence(read.JSON200.Attributes, found.Evidence)
		if err != nil {
			return nil, err
		}
		// If-Match: the change is made to the state that was read, or not at all.
		tag := read.HTTPResponse.Header.Get("ETag")
		changed, err := kgl.UpdateEntityWithResponse(ctx, id, &client.UpdateEntityParams{IfMatch: &tag},
			client.EntityUpdate{Attributes: nullable.NewNullableWithValue(attributes)})
		if err != nil {
			return nil, err
		}
		switch changed.StatusCode() {
		case http.StatusOK:
			return changed.JSON200, nil
		case http.StatusPreconditionFailed: // someone was quicker: read it again
		default:
			return nil, examples.Failed("change entity", changed.StatusCode(), changed.Body)
		}
	}
	return nil, fmt.Errorf("entity %s changes faster than it can be read", id)
}

// endregion put

// findEntity returns the entity with the name and type. The filter is for the
// beginning of names and aliases, so the rows are compared as a whole: without
// case and punctuation, as the service does when it refuses a second one.
func findEntity(ctx context.Context, kgl *client.ClientWithResponses, found finding) (*client.Entity, error) {
	list, err := kgl.ListEntitiesWithResponse(ctx, &client.ListEntitiesParams{
		Name: examples.Ptr(found.Name), Type: &[]client.TypeName{found.Type}, Limit: examples.Ptr(100),
	})
	if err != nil {
		return nil, err
	}
	if list.JSON200 == nil {
		return nil, examples.Failed("list entities", list.StatusCode(), list.Body)
	}
	for _, e := range list.JSON200.Data {
		if bare(e.Name) == bare(found.Name) {
			return &e, nil
		}
	}
	return nil, fmt.Errorf("%q exists, but is not found by its name", found.Name)
}

// bare returns the words of a name in lower case, without punctuation.
func bare(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(words, " ")
}

// maxEvidence keeps the attributes of an entity below their limit of 16 KiB.
const maxEvidence = 20

// addEvidence returns the attributes of an entity with the evidence added under
// the name of this module. What others put there is kept.
func addEvidence(attributes json.RawMessage, e evidence) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if len(attributes) > 0 {
		if err := json.Unmarshal(attributes, &all); err != nil {
			return nil, err
		}
	}
	var ours struct {
		Model    string     `json:"model"`
		Evidence []evidence `json:"evidence"`
	}
	if raw, ok := all["ai"]; ok {
		if err := json.Unmarshal(raw, &ours); err != nil {
			return nil, err
		}
	}
	ours.Model = model
	for _, known := range ours.Evidence {
		if known == e {
			return attributes, nil
		}
	}
	ours.Evidence = append(ours.Evidence, e)
	if over := len(ours.Evidence) - maxEvidence; over > 0 {
		ours.Evidence = ours.Evidence[over:]
	}
	raw, err := json.Marshal(ours)
	if err != nil {
		return nil, err
	}
	all["ai"] = raw
	return json.Marshal(all)
}
