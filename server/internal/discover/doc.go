// Package discover finds the feeds that a web page names, or that its address
// lets one expect: bytes and URLs in, candidates out. It sends no request;
// whether a candidate is a feed, only a fetch of it tells.
package discover
