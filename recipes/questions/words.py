"""Lists of words for sensible questions from captions.

All nouns are in the singular, even "pant".
"""

from captioner.data.word_lists import MEN, PEOPLE, WOMEN

DOGS = frozenset(
    "animal beagle bulldog canine chihuahua collie dalmatian dog greyhound hound husky lab "
    "labrador pitbull poodle pug puppy pup retriever shepherd spaniel terrier whippet".split()
)
ANIMALS = DOGS | frozenset(
    "bird bull calf cat cow duck elephant goat goose horse kitten lamb monkey pigeon pony rabbit "
    "ram seagull sheep".split()
)
# Too general as an answer to "who ... ?".
ANYBODY = frozenset("adult couple group human individual member people person someone".split())

# In "a group of people" the thing is people, in "the side of a hill" the hill.
MEASURES = frozenset(
    "area body bunch center couple crowd expanse field group herd line lot middle number "
    "pack pair patch piece pile row series set side stretch team top variety".split()
)
CLOTHES = frozenset(
    "apron attire bandana bandanna bikini blouse boot cap cape clothe clothing coat collar "
    "costume dress garb gear glass glove goggle hat headband headphone helmet hood hoodie "
    "jacket jeans jersey kimono mask outfit overall pajama pant robe sandal scarf shirt "
    "shoe short skirt sneaker sock suit sunglass sweater sweatshirt swimsuit swimwear "
    "t-shirt tie tight top trunk tutu tuxedo underwear uniform vest wetsuit wig".split()
)
BODY = frozenset(
    "arm beard belly body chest ear eye face finger foot hair hand head knee lap leg lip "
    "mouth neck nose paw shoulder side skin stomach tail tattoo toe tongue tooth".split()
)
# Abstract or too general.
VAGUE = frozenset(
    "action activity back background bit bottom closeup cold color conversation dark day "
    "direction distance edge end evening event fashion fight foreground formation front "
    "fun item kind left life light look lot manner midair motion nature night nothing "
    "object one other pair pose position rain rest right scene scenery set shade shot side "
    "someone something sort stuff style sun sunset thing time turn unison use view way "
    "weather while winter".split()
)
# No places, although captions contain "in a race", "on a leash", "on the phone".
NO_PLACES = frozenset(
    "baseball basketball cellphone competition concert football game guitar hockey "
    "instrument leash match parade party phone race rugby show soccer tennis volleyball".split()
)
# Not used in "is there a ... ?".
NO_THINGS = BODY | frozenset("game jump kick race ride stunt swim trick water".split())

# In "throwing into the water" or "looking at the beach", the subject is elsewhere.
APART = frozenset(
    "dropping dumping gazing kicking looking peering placing pointing pouring pulling "
    "pushing putting raising reaching staring throwing tossing watching".split()
)

# No good answers to "what is he doing ?".
NO_ACTIVITIES = frozenset(
    "appearing attempting being coming containing doing enjoying facing featuring getting "
    "giving going having leaving looking making overlooking performing preparing putting "
    "seeming setting showing starting sticking taking trying turning using wearing".split()
)
# Not used in "what is he ... ?".
NO_TRANSITIVES = frozenset(
    "attempting being doing enjoying facing featuring getting giving going having leaving "
    "making overlooking putting sticking taking trying".split()
)
# Activities. Two words of one line may both be true, or may be confused.
_MODES = tuple(
    frozenset(line.split())
    for line in (
        "sitting resting relaxing kneeling crouching squatting seated eating riding driving biking",
        "standing posing waiting leaning",
        "walking hiking strolling strutting",
        "running racing chasing jogging sprinting",
        "jumping leaping flying diving flipping bounding trick jump airborne air midair",
        "swimming wading floating",
        "climbing scaling climber rappelling",
        "sleeping lying laying asleep",
        "riding biking cycling bicycling driving surfing",
        "skiing skier",
        "snowboarding snowboarder sledding",
        "skateboarding skateboarder skating rollerblading",
        "dancing dancer",
        "eating sandwich lunch meal food",
    )
)

# If a caption mentions a word of a line, the other words of the line may be true as well.
_RELATED = [
    PEOPLE - WOMEN | {"arm", "hand", "owner", "trainer"},
    PEOPLE - MEN | {"arm", "hand", "owner", "trainer"},
    DOGS,
    *(
        frozenset(line.split())
        for line in (
            "animal horse pony bull calf cow cowboy rodeo jockey rider riding carriage polo",
            "animal sheep goat lamb ram cow calf",
            "animal bird duck goose pigeon seagull flock",
            "animal cat kitten",
            "water ocean sea lake river pool pond creek stream beach shore surf wave swimming "
            "wading surfing surfer splashing fountain puddle waterfall raft rafting kayak kayaking "
            "canoe boat paddling diving sprinkler wakeboarding wakeboarder wake rapid dock pier "
            "swimmer bay coast waterside tub",
            "boat canoe kayak kayaker kayaking raft rafting ship sail sailing sailor paddling "
            "rowing dock water",
            "snow snowy ice skiing skier snowboarding snowboarder snowboard sled sledding winter "
            "slope snowball snowmobile snowman snowsuit",
            "sled sledding snowboard ski skiing sledder toboggan",
            "grass grassy field lawn park yard meadow backyard pasture",
            "bike bicycle motorcycle bmx motorbike biker cyclist bicyclist motocross rider scooter "
            "biking riding cycling atv unicycle vehicle tricycle motorcyclist racer racing race "
            "dirtbike moped cycle wheeler quad",
            "car truck vehicle van bus jeep suv traffic racing race racer taxi automobile driving "
            "driver atv cart",
            "train subway tram railroad track",
            "mountain hill cliff rock climbing climber rocky peak hiking hiker mountainside "
            "boulder ledge slope hillside canyon face stone mound wall",
            "ball soccer football baseball basketball tennis rugby volleyball golf game softball "
            "cricket player hockey toy frisbee object something pitcher batter",
            "toy ball frisbee stick object something bone item disc branch rope thing bottle puck",
            "hat cap helmet headband hood beanie bandana bandanna sombrero headgear hoodie visor "
            "fedora beret wig",
            "shirt t-shirt jacket coat sweater sweatshirt top jersey vest tank hoodie blouse "
            "uniform outfit suit clothes clothing dress costume shirtless",
            "pant jeans short trouser skirt overall uniform outfit suit dress trunk swimsuit",
            "board skateboard skateboarder skateboarding skater snowboard snowboarder snowboarding "
            "surfboard surfer surfing wakeboard wakeboarding boarder bodyboard boogie skating "
            "wakeboarder ski skier",
            "bench chair couch sofa seat sitting stool recliner armchair lounge swing bed",
            "street road sidewalk path track trail pavement walkway city curb corner crosswalk "
            "course alley lane",
            "building house store shop city street restaurant door window skyscraper church",
            "guitar guitarist instrument music band musician playing violin bass banjo",
            "microphone singing singer stage concert performing band mic",
            "camera picture photo photographer photograph video",
            "cup bottle beer glass drink drinking can mug beverage wine coffee soda",
            "ramp jump trick halfpipe rail obstacle hurdle bar pipe skateboard stunt railing "
            "agility handrail",
            "fence gate railing wall rail barrier",
            "bag backpack purse luggage pack sack suitcase basket",
            "tree wood forest branch log wooded jungle",
            "rope leash chain cord string harness climbing",
            "stick branch log pole bat twig wood",
            "slide swing playground trampoline gym",
            "glass sunglass goggle eyeglass",
            "table desk counter restaurant bar picnic",
            "food eating sandwich meal lunch dinner cream cake snack",
            "tent camping campsite canopy booth",
            "boy girl",
            "flower plant garden tulip field",
            "flag banner sign",
            "phone cellphone telephone",
            "book magazine newspaper reading",
            "paint painting picture graffiti art mural drawing canvas",
            "beach sand shore sandy ocean sea surf coast",
            "net goal tennis hockey volleyball soccer",
            "racket racquet tennis",
            "bat baseball cricket batter",
            "brown tan beige gold golden orange blonde blond",
            "gray grey silver white dark",
            "red pink maroon orange",
            "purple pink blue",
            "blue turquoise green",
            "yellow gold golden tan orange green blonde",
            "black dark",
            "white light cream beige tan",
        )
    ),
]


def related(word: str) -> frozenset[str]:
    """`word` and all words whose mention may mean `word` as well."""
    return frozenset((word,)).union(*(line for line in _RELATED if word in line))


def mode(verb: str) -> frozenset[str]:
    """The words for an activity that may mean the same; none if `verb` is in no list."""
    return frozenset().union(*(line for line in _MODES if verb in line))
