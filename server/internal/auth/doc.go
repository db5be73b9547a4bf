// Package auth decides who acts and what they may do: passwords, access and
// refresh tokens, signing keys, roles and scopes, accounts, logins and the
// throttling of guesses.
//
// It knows no HTTP and no SQL: it works on the store interfaces of package kgl.
// The JOSE library is used in jose.go only.
package auth
