// Package outbound is the one guarded HTTP client of the server: every request
// that leaves the process goes through it, so that one policy holds for feeds,
// discovery, subscription lists, webhooks, key sets and the AI module.
//
// The policy is enforced where it cannot be talked around: the address is
// checked on the socket, after name resolution and before connect, so the
// address that was checked is the address that is dialled (no DNS rebinding),
// whatever spelling the URL used and whatever resolver answered. Redirects are
// followed one by one, each under the same policy. Proxies of the environment
// are ignored, because a proxy would dial in our place.
//
// Everything is bounded: connection attempts, redirects, header bytes, body
// bytes on the wire and after decompression, and the time of the whole
// exchange. An answer that is incomplete is an error, never a short body.
//
// Users must not be able to tell a refused address from one that does not
// answer, or the service becomes a port scanner for the network it stands in:
// both give the same code and the same text. The cause, for logs and metrics
// only, is found with ReasonOf and by unwrapping to a *Failure.
package outbound
