// Package kglapi makes the few calls of the service's API that a measurement
// needs besides its load: login, samples of ids, counts.
package kglapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client calls one service.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// Login returns a client with an access token.
func Login(base, email, password string) (*Client, error) {
	c := &Client{base: base, http: &http.Client{Timeout: time.Minute}}
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		return nil, err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := c.call(http.MethodPost, "/api/v1/auth/login", body, &answer); err != nil {
		return nil, err
	}
	c.token = answer.AccessToken
	return c, nil
}

// At returns a client with the same token for another base URL.
func (c *Client) At(base string) *Client { return &Client{base: base, token: c.token, http: c.http} }

// Token returns the access token.
func (c *Client) Token() string { return c.token }

// Get reads path into the value that into points to.
func (c *Client) Get(path string, into any) error { return c.call(http.MethodGet, path, nil, into) }

// Post posts to path, without a body, and reads the answer away.
func (c *Client) Post(path string) error { return c.call(http.MethodPost, path, nil, nil) }

// Delete deletes the resource at path.
func (c *Client) Delete(path string) error { return c.call(http.MethodDelete, path, nil, nil) }

// Create posts a body to path and returns the id of what was made.
func (c *Client) Create(path string, body any) (string, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	var made struct {
		ID string `json:"id"`
	}
	err = c.call(http.MethodPost, path, text, &made)
	return made.ID, err
}

func (c *Client) call(method, path string, body []byte, into any) error {
	request, err := http.NewRequest(method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
