"""Words for colours, numbers and people. Nouns are in the singular, except MALE and FEMALE."""

COLORS = frozenset(
    "beige black blue brown gold gray green grey maroon orange pink purple red silver tan "
    "turquoise white yellow".split()
)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MEN = frozenset(
    "boy brother cowboy dad father fisherman gentleman guy male man policeman son uncle".split()
)
WOMEN = frozenset(
    "ballerina bride cheerleader daughter female girl lady mom mother sister woman".split()
)
MALE, FEMALE = (  # with their plurals
    group
    | {f"{word}s" for word in group}
    | {word.replace("man", "men").replace("lady", "ladies") for word in group}
    for group in (MEN, WOMEN)
)
CHILDREN = frozenset(
    "baby boy child daughter girl infant kid son teen teenager toddler youngster youth".split()
)
PEOPLE = (
    MEN
    | WOMEN
    | CHILDREN
    | frozenset(
        "adult artist athlete audience band baseman bicyclist biker boarder climber couple crowd "
        "cyclist dancer diver driver family friend goalie golfer group guitarist gymnast hiker "
        "human individual jogger kayaker member motorcyclist musician officer onlooker opponent "
        "parent passenger pedestrian people performer person player quarterback referee rider "
        "racer runner sailor santa singer skateboarder skater skier sledder snowboarder soldier "
        "someone spectator student surfer swimmer team vendor wakeboarder worker wrestler".split()
    )
)
