"""Function words, and those of them that cannot end a sentence."""

# Words that cannot or almost never end an English sentence: in Flickr8k, fewer than one of 20 uses
# of each ends a caption. Adverbial particles ("standing up", "running around", "sits outside") and
# "her" ("next to her") are missing on purpose.
CANNOT_END = frozenset(
    # articles and other determiners
    "a an the every my your his its our their 's some this these those "
    # conjunctions and relative pronouns
    "and or but nor while as than because if although unless whose which who that where when "
    # prepositions
    "of with without in at to from for into onto upon between among amongst against toward towards "
    "during on by near over through under underneath across along beside about after before within "
    "past via like throughout beneath atop amid "
    # auxiliaries
    "am is are was were be been being has have had".split()
)

# All function words. A caption may repeat them ("a dog and a man in a hat").
FUNCTION_WORDS = CANNOT_END | frozenset(
    "one two other another each both all it he she they him her them himself herself itself "
    "themselves there up down out off around behind above below inside outside away together next "
    "not n't no so do does did can could will would what".split()
)
