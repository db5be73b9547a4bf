package feed

import (
	"encoding/json"
	"strings"
	"testing"
)

const mediaSpaces = `xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:podcast="https://podcastindex.org/namespace/1.0" ` +
	`xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0" ` +
	`xmlns:slash="http://purl.org/rss/1.0/modules/slash/" xmlns:content="http://purl.org/rss/1.0/modules/content/"`

func rssItem(t *testing.T, fields string) Item {
	t.Helper()
	return mustParse(t, rssDoc(`<item `+mediaSpaces+`><guid isPermaLink="false">1</guid>`+fields+`</item>`), testOptions()).Items[0]
}

func atomItem(t *testing.T, fields string) Item {
	t.Helper()
	return mustParse(t, `<feed xmlns="http://www.w3.org/2005/Atom" `+mediaSpaces+`><title>T</title><entry><id>1</id>`+fields+`</entry></feed>`, testOptions()).Items[0]
}

func jsonItemOf(t *testing.T, fields string) Item {
	t.Helper()
	return mustParse(t, `{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{"id":"1",`+fields+`}]}`, testOptions()).Items[0]
}

// TestMedia checks what podcasts and videos say about themselves, as the JSON
// that is stored.
func TestMedia(t *testing.T) {
	for _, c := range []struct{ name, fields, want string }{
		{"nothing", `<title>t</title>`, `null`},
		{"itunes", `<itunes:duration>1:02:03</itunes:duration><itunes:season>2</itunes:season><itunes:episode>7</itunes:episode>
			<itunes:episodeType>Bonus</itunes:episodeType><itunes:explicit>no</itunes:explicit><itunes:keywords>sea, coast</itunes:keywords>`,
			`{"duration":3723,"season":2,"episode":7,"episode_type":"bonus","explicit":false,"keywords":["sea","coast"]}`},
		{"explicit", `<itunes:explicit>Yes</itunes:explicit>`, `{"explicit":true}`},
		{"unknown words", `<itunes:explicit>maybe</itunes:explicit><itunes:episodeType>pilot</itunes:episodeType><itunes:season>two</itunes:season>`, `null`},
		{"podcast", `<podcast:season name="Tides">3</podcast:season><podcast:episode display="Ch.3">315.5</podcast:episode>
			<podcast:chapters url="/c.json" type="application/json+chapters"/>
			<podcast:transcript url="https://s.example.org/t.vtt" type="text/vtt" language="pt_br" rel="captions"/><podcast:transcript url="t.srt" type="application/srt; x=1"/>
			<podcast:person role="Host" href="https://s.example.org/ann" img="a.jpg">Ann &amp;amp; Co</podcast:person><podcast:person>Bo</podcast:person><podcast:person>Bo</podcast:person>`,
			`{"season":3,"episode":315,"chapters_url":"https://s.example.org/c.json","transcripts":[{"url":"https://s.example.org/t.vtt","type":"text/vtt","language":"pt-BR"},` +
				`{"url":"https://s.example.org/t.srt","type":"application/srt"}],"persons":[{"name":"Ann \u0026 Co","role":"host","url":"https://s.example.org/ann"},{"name":"Bo"}]}`},
		{"itunes before podcast", `<podcast:season>3</podcast:season><itunes:season>2</itunes:season>`, `{"season":2}`},
		{"media", `<media:group><media:content url="v.mp4" duration="95" type="video/mp4"/><media:credit role="Producer">Cy</media:credit><media:keywords>a,b</media:keywords></media:group>`,
			`{"duration":95,"keywords":["a","b"],"persons":[{"name":"Cy","role":"producer"}]}`},
		{"no web addresses", `<podcast:chapters url="javascript:x()"/><podcast:transcript url="data:text/vtt,x"/><podcast:person href="javascript:x()">Bo</podcast:person>`, `{"persons":[{"name":"Bo"}]}`},
		{"markup", `<podcast:person role="&lt;b&gt;host">&lt;script&gt;x()&lt;/script&gt;Bo &lt;i&gt;B&lt;/i&gt;</podcast:person>`, `{"persons":[{"name":"Bo B","role":"host"}]}`},
	} {
		for format, it := range map[string]Item{"rss": rssItem(t, c.fields), "atom": atomItem(t, strings.ReplaceAll(strings.ReplaceAll(c.fields, `"/c.json"`, `"https://s.example.org/c.json"`), `"t.srt"`, `"https://s.example.org/t.srt"`))} {
			if have, err := json.Marshal(it.Media); err != nil || string(have) != c.want {
				t.Errorf("%s in %s: media is\n%s, want\n%s (%v)", c.name, format, have, c.want, err)
			}
		}
	}
	it := jsonItemOf(t, `"attachments":[{"url":"https://s.example.org/a.mp3","mime_type":"audio/mpeg","duration_in_seconds":62.5}]`)
	if it.Media == nil || it.Media.Duration != 62 {
		t.Errorf("the duration of an attachment is %+v", it.Media)
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]int64{
		"3723": 3723, "62:03": 3723, "1:02:03": 3723, " 01:02:03 ": 3723, "PT1H2M3S": 3723, "1h 2m 3s": 3723, "62.9": 62, "1:02:03.4": 3723, "00:00:05": 5,
		"": 0, "0": 0, "-5": 0, "-1:02": 0, "long": 0, "1:x": 0, "NaN": 0, "Inf": 0, "1e300": 0, "99999999999": 0, "PT": 0, "1:2:3:4": 223384,
	} {
		if have := seconds(text); have != want {
			t.Errorf("seconds(%q) = %d, want %d", text, have, want)
		}
	}
	for text, want := range map[string]int64{"7": 7, " 7.9 ": 7, "0": 0, "-1": 0, "x": 0, "NaN": 0, "1e18": 0, "": 0} {
		if have := wholeNumber(text); have != want {
			t.Errorf("wholeNumber(%q) = %d, want %d", text, have, want)
		}
	}
}

func TestItemImage(t *testing.T) {
	const page = "https://s.example.org/"
	for _, c := range []struct{ name, fields, want string }{
		{"none", `<title>t</title>`, ""},
		{"itunes", `<itunes:image href="/i.jpg"/>`, page + "i.jpg"},
		{"podcast", `<podcast:images srcset="https://s.example.org/l.jpg 1500w, https://s.example.org/m.jpg 600w"/>`, page + "l.jpg"},
		{"thumbnail", `<media:thumbnail url="/t.jpg"/>`, page + "t.jpg"},
		{"thumbnail of a group", `<media:group><media:thumbnail url="/g.jpg"/></media:group>`, page + "g.jpg"},
		{"thumbnail of content", `<media:content url="/v.mp4" type="video/mp4"><media:thumbnail url="/c.jpg"/></media:content>`, page + "c.jpg"},
		{"picture of Media RSS", `<media:content url="/p.jpg" medium="image"/>`, page + "p.jpg"},
		{"enclosure", `<enclosure url="/e.jpg" type="image/jpeg"/>`, page + "e.jpg"},
		{"audio before picture", `<enclosure url="/e.mp3" type="audio/mpeg"/><enclosure url="/e.jpg" type="image/jpeg"/>`, page + "e.jpg"},
		{"image element", `<image><url>/x&amp;y.jpg</url><title>z</title></image>`, page + "x&y.jpg"},
		{"image text", `<image>/y.jpg</image>`, page + "y.jpg"},
		{"content", `<description>&lt;img src="/a.png" width="16"&gt;&lt;img src="/b.png"&gt;</description>`, page + "b.png"},
		{"named before content", `<description>&lt;img src="/b.png"&gt;</description><itunes:image href="/i.jpg"/>`, page + "i.jpg"},
		{"no web address", `<itunes:image href="javascript:x()"/><media:thumbnail url="data:image/png;base64,AA"/><media:thumbnail url="/t.jpg"/>`, page + "t.jpg"},
	} {
		if have := rssItem(t, `<link>https://s.example.org/</link>`+c.fields).ImageURL; have != c.want {
			t.Errorf("%s: image is %q, want %q", c.name, have, c.want)
		}
	}
	checkEqual(t, "image", jsonItemOf(t, `"image":"https://s.example.org/i.png","banner_image":"https://s.example.org/b.png"`).ImageURL, page+"i.png")
	checkEqual(t, "banner", jsonItemOf(t, `"banner_image":"https://s.example.org/b.png"`).ImageURL, page+"b.png")
	checkEqual(t, "atom", atomItem(t, `<link rel="enclosure" type="image/png" href="https://s.example.org/e.png"/>`).ImageURL, page+"e.png")
}

func TestCommentsURL(t *testing.T) {
	const page = "https://s.example.org/1#comments"
	for _, c := range []struct{ name, fields, want string }{
		{"element", `<comments>` + page + `</comments>`, page},
		{"relative", `<comments>/1#comments</comments>`, page},
		{"count", `<comments>12</comments><slash:comments>12</slash:comments>`, ""},
		{"atom link", `<atom:link rel="replies" href="` + page + `"/>`, page},
		{"script", `<comments>javascript:x()</comments>`, ""},
	} {
		checkEqual(t, c.name, rssItem(t, c.fields).CommentsURL, c.want)
	}
	checkEqual(t, "replies", atomItem(t, `<link rel="replies" type="application/atom+xml" href="https://s.example.org/c.xml"/><link rel="replies" type="text/html" href="`+page+`" thr:count="3"/>`).CommentsURL, page)
}

func TestPodcastFeed(t *testing.T) {
	m := mustParse(t, `<rss version="2.0" `+mediaSpaces+`><channel><title>T</title><link>https://s.example.org/</link>
		<itunes:new-feed-url>https://new.example.org/feed</itunes:new-feed-url><podcast:guid>917393e3-1b1e-5cef-ace4-edaa54e1f810</podcast:guid>
		<podcast:medium>music</podcast:medium></channel></rss>`, testOptions()).Feed
	checkEqual(t, "moved to", m.MovedTo, "https://new.example.org/feed")
	checkEqual(t, "guid", m.PodcastGUID, "917393e3-1b1e-5cef-ace4-edaa54e1f810")
	checkEqual(t, "medium", m.Medium, "music")
}
