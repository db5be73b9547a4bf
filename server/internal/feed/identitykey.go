package feed

// IdentityKey returns a text as a key of identity: itself, or its hash when it is
// longer than a key may be. It is how Item.IdentityKey comes from an id or a URL.
func IdentityKey(text string) string { return boundKey(text) }
