package neardup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// template is a text that is sent out again and again with other values.
type template struct{ name, title, text string }

var templates = []template{
	{"grant", "{org} opens {programme} Grant with {amount} for {who}",
		`{org} has opened applications for the {programme} Grant. The programme awards up to {amount} to {who} who work in {city}. ` +
			`Applications are open until {date} and are read by a jury of {count} people. Applicants need a short description of the project, ` +
			`a budget and two samples of their work. The grant covers costs of living, travel, tools and production. ` +
			`Applicants hear back within eight weeks after the deadline. Questions are answered by mail at any time. ` +
			`The foundation supports independent work in all forms and has done so for many years.`},
	{"grant, lower case", "Funding call: {lower}",
		`A new funding call is open for {lower}. The call supports independent people and small teams, and pays for work that is made in the ` +
			`public interest. Send a description of two pages, a budget and a plan of work. There is no fee, and every applicant gets an answer. ` +
			`A jury of people from the field reads all applications and meets twice a year. Those who were turned down before may apply again ` +
			`with a new project. Further details are found on the website of the fund.`},
	{"deadline moved", "{programme} Fellowship: deadline {date}",
		`Applications for the {programme} Fellowship close on {date}. Fellows receive a stipend, a desk and the advice of people who have done it before. ` +
			`The fellowship lasts six months and can be done from anywhere. Apply with a letter, a curriculum vitae and a sample of your work. ` +
			`All applications are read by two people who do not know the name of the applicant. Interviews are held by video.`},
	{"roundup", "Weekly roundup #{count}: {programme}, {org}",
		`Welcome to the weekly roundup, in which we collect what happened in the world of creators over the last seven days. ` +
			`This week: {org} raises {amount}, {programme} changes its rules for {who}, and {city} gets a new studio. ` +
			`As always, reply to this mail with what we missed, and forward it to a friend who would like it. ` +
			`You get this mail because you signed up on our website. We send it every Friday. See you next week, and take care.`},
	{"weather", "Weather for {city}, {date}",
		`In {city} the day of {date} begins with clouds and some rain, later the sun comes out. Temperatures reach {count} degrees in the afternoon and fall to ` +
			`{small} degrees in the night. The wind blows from the {wind} with {speed} kilometres an hour. The chance of rain is {percent} per cent. ` +
			`The sun rises at 6:{small} and sets at 20:{small}. The outlook for the next days: it stays changeable, with sun and clouds in turn.`},
	{"market", "{city} stocks close at {amount} on {date}",
		`Stocks in {city} closed on {date} with a change of {percent} per cent. The index stood at {amount} at the end of trading after it had touched {amount2} ` +
			`in the morning. Shares of {org} were among the most traded. Dealers spoke of a quiet day with few news. The currency was traded at 1.{count} to the dollar. ` +
			`Bonds hardly moved. Analysts expect that the market waits for the figures of the coming week before it takes a direction.`},
	{"release", "{programme} {version} released",
		`{programme} {version} is now available. This release fixes bugs and improves the speed of the editor. Upgrade with the package manager of your system, or ` +
			`download the archive from the website. As always, make a backup before you upgrade. The checksum is published beside the archive. ` +
			`Thanks to all who reported problems, tested the candidate and translated the program. If something does not work, please open an issue and say what you did, ` +
			`what you expected and what happened.`},
	{"job", "{org} is hiring: {role} in {city}",
		`{org} is looking for a {role} in {city}. You work in a small team, decide much on your own and can work from home on some days. We offer a fair salary of {amount} ` +
			`a year, {count} days of leave and time to learn. You bring experience, curiosity and patience. We welcome applications from all people. ` +
			`Send a short letter and your curriculum vitae, no photo needed. We answer within two weeks and talk to everyone who is on the short list.`},
	{"event", "{programme} comes to {city}",
		`The {programme} tour comes to {city} on {date}. Doors open at seven, the evening begins at eight. Tickets cost {count} and are sold on the website and at the door, as long as ` +
			`there are any. The house has a ramp and seats for people in wheelchairs. Food and drinks are sold in the hall. Photos without flash are welcome. ` +
			`Those who cannot come any more can give their ticket back until the day before.`},
	{"match", "{city} beat {city2} {small}:{percent}",
		`{city} beat {city2} on {date} by {small} to {percent}. After a slow start both teams found into the game, and the home side used its chances better. ` +
			`The decision fell in the last quarter. {count} spectators saw a fair game with few interruptions. The coach praised the work of the defence, the guests regretted ` +
			`the chances that they had not used. The next game takes place in a week, at the same time and in the same place.`},
	{"episode", "Episode {count}: {name} of {org}",
		`In this episode we talk with {name} of {org}. Subscribe to the show wherever you listen to podcasts, and leave a review if you like it. ` +
			`You find the notes, the links and the transcript on our website. The show is made by two people in their free time: if you want to support us, become a member. ` +
			`Members get every episode a day early and without advertisements. Music by our friends, used with permission. Write to us with ideas for guests and questions.`},
	{"german grant", "{org}: Förderung für {who} bis {date}",
		`Die Stiftung {org} vergibt eine Förderung für {who}. Bis zu {amount} stehen für ein Vorhaben bereit. Bewerbungen sind bis zum {date} möglich. ` +
			`Benötigt werden eine Beschreibung des Vorhabens, ein Kostenplan und zwei Arbeitsproben. Über die Vergabe entscheidet eine Jury aus der Praxis. ` +
			`Die Ergebnisse werden nach acht Wochen mitgeteilt. Wer schon einmal abgelehnt wurde, kann sich mit einem neuen Vorhaben wieder bewerben.`},
	{"chinese grant", "{hanorg}资助计划{percent}月{count}日截止",
		`{hanorg}基金会开放新一轮资助申请，面向独立创作者和小型团队。每个项目最高可获得{count}万元。申请截止日期为{percent}月{count}日。申请人需要提交项目说明、预算和两份作品样本。` +
			`评审团由业内人士组成，结果将在截止后八周内公布。资助可用于生活、差旅、设备和制作费用。曾经未获资助的申请人可以用新的项目再次申请。如有问题请发送邮件咨询，我们会尽快答复。`},
}

func names() []string {
	var list []string
	for _, t := range templates {
		list = append(list, t.name)
	}
	return list
}

func (c *corpus) audience() string {
	return "writers filmmakers illustrators podcasters musicians translators photographers journalists"
}

// values fills the slots of a template.
func (c *corpus) values() map[string]string {
	place := func() string { return c.oneOf(firstHalf) + c.oneOf(secondHalf) }
	w := newWriter(c, "zh")
	return map[string]string{
		"org": place() + " " + c.oneOf("Foundation Fund Institute Collective Council"), "programme": place(), "amount": c.amount(), "amount2": c.amount(),
		"who":  c.oneOf(c.audience()),
		"city": place(), "city2": place(), "date": c.date(), "count": fmt.Sprint(20 + c.IntN(900)), "small": fmt.Sprint(10 + c.IntN(40)),
		"percent": fmt.Sprint(1 + c.IntN(99)), "speed": fmt.Sprint(5 + c.IntN(90)), "wind": c.oneOf("north south east west"),
		"version": fmt.Sprintf("%d.%d.%d", 1+c.IntN(4), c.IntN(12), c.IntN(20)), "role": c.oneOf("designer developer editor producer accountant"),
		"lower": c.oneOf(c.audience()) + " " + c.oneOf("in of from near against for") + " the " + c.oneOf(englishWords),
		"name":  place() + " " + place(), "hanorg": w.name(),
	}
}

func fillSlots(text string, values map[string]string) string {
	for k, v := range values {
		text = strings.ReplaceAll(text, "{"+k+"}", v)
	}
	return text
}

// hard makes a family of documents that are easily taken for one article.
func (c *corpus) hard() {
	switch c.IntN(10) {
	case 0:
		c.sameEvent()
	case 1:
		c.sameFrame()
	default:
		c.fromTemplate()
	}
}

// fromTemplate makes announcements that differ in one, some or all values.
func (c *corpus) fromTemplate() {
	t := templates[c.IntN(len(templates))]
	family := 1 + slices.Index(names(), t.name) // all announcements of a template
	base := c.values()
	var slots []string
	for _, k := range slices.Sorted(maps.Keys(base)) {
		if strings.Contains(t.title+t.text, "{"+k+"}") {
			slots = append(slots, k)
		}
	}
	about := "" // some announcements are mostly about the sender
	if c.chance(35) {
		about = "\n\n" + c.newArticle("en", 50+c.IntN(500)).text()
	}
	for range 2 + c.IntN(5) {
		values := maps.Clone(base)
		fresh := c.values()
		change := c.oneOfInt(1, 2, len(slots))
		for _, i := range c.Perm(len(slots))[:min(change, len(slots))] {
			values[slots[i]] = fresh[slots[i]]
		}
		title, text := fillSlots(t.title, values), fillSlots(t.text, values)+about
		if c.sent[text] { // the same announcement: no negative
			continue
		}
		c.sent[text] = true
		c.add(c.newStory(), family, t.name, title, text)
	}
}

// sameFrame makes short texts of one site, with the same frame around them.
func (c *corpus) sameFrame() {
	w := newWriter(c, c.language())
	family := c.newFamily()
	before, after := paragraph(w), paragraph(w)+w.between+paragraph(w)
	for range 2 + c.IntN(4) {
		s, _ := w.sentence()
		text := s
		if c.chance(50) {
			text = before + w.between + text
		}
		c.add(c.newStory(), family, "short in a frame", w.title(), text+"\n\n"+after)
	}
}

// sameEvent makes stories of several writers on one event: they share names,
// a quotation and a title, and nothing else.
func (c *corpus) sameEvent() {
	language := c.language()
	w := newWriter(c, language)
	family := c.newFamily()
	title, quote := w.title(), paragraph(w)
	for range 2 + c.IntN(3) {
		a := c.newArticle(language, 120+c.IntN(300))
		a.title = title
		if c.chance(50) {
			a.title = w.title()
		}
		at := c.IntN(len(a.paras))
		a.paras = slices.Insert(a.paras, at, quote)
		c.add(c.newStory(), family, "same event", a.title, a.text())
	}
}
