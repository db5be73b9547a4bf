// Package demo holds five sample feeds and the server that publishes them, so
// that the whole system can be shown without the internet.
//
// The feeds are invented: organizations, people and money in them do not exist;
// platforms and cities do. Their stories are composed of hand-written sentences
// (data/stories.json) and a cast (data/cast.json), each by its number, so that
// the same story always reads the same. A feed publishes on a schedule that is
// bound to the calendar: a restart shows the same items with the same dates,
// and hours later there are new ones.
package demo
