package enrich

// The words that the mock extractor knows. Each line of a names list is one
// entity: its name, then other spellings behind equals signs. A name is found
// only where it is written with a capital; concepts are found in any case.
const (
	platformNames = `YouTube=YouTube Shorts
Twitch
Patreon
Substack
TikTok
Instagram=Instagram Reels
Spotify=Spotify for Creators
Discord
Kickstarter
Bandcamp
SoundCloud
Vimeo
Nebula
Ko-fi
Gumroad
Etsy
Pinterest
LinkedIn
Snapchat
Bluesky
Mastodon
PeerTube
Ghost
Beehiiv=beehiiv
Indiegogo
GoFundMe
Medium
Tumblr
Reddit
Facebook
Threads
Twitter
Shopify
Webtoon
Audible
Apple Podcasts
Steam
Roblox
Kajabi
Teachable
Cameo
OnlyFans
Itch.io
Rumble
Dailymotion`

	organizationNames = `Google
Meta
Amazon
Apple
Microsoft
Adobe
Netflix
Sony
Disney
ByteDance
European Commission
European Union
BBC
UNESCO
Arts Council England
Goethe-Institut
Wikimedia Foundation
Mozilla`

	locationNames = `London
Paris
Berlin
Lisbon
Madrid
Barcelona
Rome
Milan
Vienna
Warsaw
Prague
Amsterdam
Rotterdam
Brussels
Copenhagen
Stockholm
Oslo
Helsinki
Reykjavík
Dublin
Glasgow
Manchester
Zürich=Zurich
Kraków=Krakow
Łódź
Athens
Istanbul
New York=New York City
Los Angeles
San Francisco
Chicago
Austin
Seattle
Boston
Toronto
Montréal=Montreal
Vancouver
Mexico City
São Paulo=Sao Paulo
Bogotá=Bogota
Buenos Aires
Lagos
Nairobi
Accra
Cape Town
Johannesburg
Cairo
Dubai
Mumbai
Bengaluru=Bangalore
Delhi=New Delhi
Singapore
Jakarta
Bangkok
Hanoi
Seoul
Tokyo
Osaka
Sydney
Melbourne
Auckland
Europe
Africa
Asia
Latin America
Germany
France
Spain
Portugal
Italy
Poland
Sweden
Norway
Denmark
Finland
Ireland
Scotland
Canada
Brazil
Mexico
Colombia
Argentina
Nigeria
Kenya
Ghana
South Africa
India
Indonesia
Vietnam
South Korea
Japan
Australia
New Zealand
United States
United Kingdom
California
Texas`

	eventNames = `VidCon
TwitchCon
SXSW=South by Southwest
Podcast Movement
Web Summit
Cannes Lions
Gamescom
Comic-Con
MIPCOM
Sundance
PodFest`

	conceptNames = `creator economy
subscription=subscriptions
membership=memberships
newsletter=newsletters
revenue sharing=revenue share=revenue split
sponsorship=sponsorships=sponsored content
brand deal=brand deals=brand partnership=brand partnerships
monetization=monetisation
crowdfunding
livestreaming=live streaming=livestream=livestreams
short-form video=short video=shorts
podcasting
merchandise=merch
affiliate marketing=affiliate links
generative AI
copyright
content moderation
licensing
royalties=royalty
paywall=paywalls
tipping=tips
digital rights
algorithmic recommendation=recommendation algorithm=recommendation algorithms
audience growth
fan funding
ad revenue=advertising revenue
creator burnout=burnout
media literacy
accessibility
open source
data portability
interoperability
collective bargaining
mental health
micropayments
virtual reality
documentary filmmaking
independent journalism
ticketing
payouts`

	givenNames = `ada adebayo aisha akira alex alice amara amina ana anders andré anna anneke antonio aoife astrid ben
bjørn bruno camille carlos carmen charlotte chen chidi chiara chloe clara daniel david diego dmitri elena elif emma erik esra
eva fatima felix fernanda femi francesca freya gabriel grace hana hannah hassan hiro hugo ibrahim ines inès ingrid ioana isabel ivan
jack james jan jana jasmine javier jean jin joana joão johan john jonas jorge josé juan julia kai karim katarzyna kate keiko kofi
kwame lars laura layla leila leo liam lina lucas lucía lucy luis łukasz magda maja malik marco maría maria marie marta mateo matteo mei
mia miguel mika mina mohammed nadia naomi ngọc nikhil nina noah nora olga oliver olivia omar oscar pablo paula pedro peter petra
pierre priya rafael rahul ravi renata rosa ruth sam samira sana sara sarah sofia søren stefan sven tariq tess thomas tomás tomasz uma
valentina victor wei yara yuki yusuf zainab zoë zoe zofia`

	// Titles stand before a person's name and tell of it. They are never part of
	// a name.
	titleWords = `dr mr mrs ms prof professor ceo cto coo cfo founder co-founder cofounder director president chairman
chairwoman chair editor producer host analyst economist filmmaker podcaster streamer illustrator musician composer animator
photographer journalist writer novelist designer developer youtuber curator researcher lawyer manager executive officer
minister commissioner spokesperson spokeswoman spokesman author artist presenter comedian`

	// ambiguousNames are common words too: at the start of a sentence, where every
	// word has a capital, they are not taken for the name.
	ambiguousNames = `medium ghost discord threads steam cameo rumble nebula audible meta apple`

	speechVerbs = `says said say told tells writes wrote explains explained adds added argues argued recalls recalled notes noted
warns warned believes hopes thinks insists`

	// companyVerbs follow the name of an organization more often than not.
	companyVerbs = `launches launched announces announced acquires acquired raises raised unveils unveiled opens opened closes
closed hires hired partners partnered introduces introduced releases released reported reports buys bought publishes expands expanded`

	// stopWords are capitalised at the start of a sentence and in headlines, and
	// are no part of a name.
	stopWords = `the a an and or but if in on at by of for from with without to into as is are was were be been it its this that these
those there here we our us you your they their them he his him she her i my me who what when where why how which while after
before since until during once now then today yesterday tomorrow every each all any some many most more less few several no not
nobody only also even still just yet both either neither another other others such than so too very can could may might must will
would shall should do does did done has have had having get got about above across against among around behind below beside between
beyond despite inside near off onto outside over past per through under upon via within because although though unless whether
however therefore meanwhile instead applications applicants application episode listen watch subscribe monday tuesday wednesday
thursday friday saturday sunday january february march april june july august september october november december`

	// leadingWords may begin a name, but at the start of a sentence they rather
	// do not.
	leadingWords = `one two three four five six seven eight nine ten first second third last next new half part read apply see earlier
later spring summer autumn winter down out get up`
)

// The words that end, or head, a name and tell its type; and the common nouns
// that stand beside a name and tell its type.
const (
	nameHeads = `grant: fund grant grants prize fellowship fellowships bursary bursaries scholarship scholarships stipend award
program: program programme accelerator residency residencies incubator initiative academy bootcamp scheme mentorship
event: summit conference festival awards forum expo convention meetup con symposium hackathon fair congress biennale
organization: inc ltd llc gmbh foundation studio studios media group labs lab capital ventures collective institute university
organization: council agency association records network partners cooperative co-op guild union press company corporation trust
organization: society centre center works commission ministry alliance productions pictures broadcasting`

	typeNouns = `platform: platform app marketplace site service
organization: startup company studio agency nonprofit charity collective publisher label cooperative co-op network foundation
organization: association union guild group consortium accelerator-operator
event: conference festival summit convention meetup
grant: grant fund prize fellowship bursary
program: programme program residency accelerator incubator
person: founder co-founder director producer editor host musician filmmaker illustrator journalist streamer podcaster who`
)
