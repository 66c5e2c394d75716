"""One name in many spellings, and pairs of names that are two people's."""

from typing import Final

NAME: Final = "Mara Lindqvist"
SPELLINGS: Final = (
    "MARA LINDQVIST",
    "mara lindqvist",
    "  Mara   Lindqvist ",
    "Lindqvist, Mara",
    "LINDQVIST Mara",
    "Dr. Mara Lindqvist",
    "Mara Lindqvist, PhD",
    "Mara-Lindqvist",
    "Mara\u2010Lindqvist",  # a hyphen
    "Mara\u00a0Lindqvist",  # a blank that does not break
    "Mara\u2003Lindqvist",  # an em space
    "Mara\u3000Lindqvist",  # a wide blank
    "M\u0430r\u0430 Lindqvist",  # Cyrillic a
    "\u041cara Lindqvist",  # Cyrillic M
    "\u041c\u0430r\u0430 L\u0456ndqv\u0456\u0455t",
    "Mar\u03b1 Lindqvist",  # Greek alpha
    "Mara Lindqv\u0131st",  # without its dot
    "Mar\u0251 Lindqvist",  # Latin alpha
    "\uff2d\uff41\uff52\uff41 \uff2c\uff49\uff4e\uff44\uff51\uff56\uff49\uff53\uff54",  # wide
    "\U0001d40c\U0001d41a\U0001d42b\U0001d41a Lindqvist",  # mathematical bold
    "\u24c2\u24d0\u24e1\u24d0 Lindqvist",  # in circles
    "\U0001f17c\U0001f170\U0001f181\U0001f170 Lindqvist",  # in squares
    "\u1d0d\u1d00\u0280\u1d00 Lindqvist",  # small capitals
    "Ma\u200bra Lindqvist",  # a blank without width
    "Ma\u200dra Lindqvist",  # a joiner
    "Ma\u00adra Lindqvist",  # a hyphen that is not seen
    "Mara Lind\u2060qvist",  # a word joiner
    "Mara Lindqvis\ufe0ft",  # a variation selector
    "Ma\u034fra Lindqvist",  # a grapheme joiner
    "Mara\u3164 Lindqvist",  # a Hangul filler
    "\u200fMara Lindqvist",  # a mark of direction
    "M\u00e1ra Lindqvist",
    "Ma\u0301ra Lindqvist",
    "M\u0336a\u0336r\u0336a\u0336 Lindqvist",  # struck out
    "\u201cMara\u201d Lindqvist",
    "Mara \u2018Lindqvist\u2019",
    "MaraLindqvist",
)
SAME: Final = (
    ("Jürgen Groß", "Juergen Gross"),
    ("Jürgen Groß", "JURGEN GROSS"),
    ("Jürgen Müller", "Juergen Mueller"),
    ("Søren Åkesson", "Soeren Aakesson"),
    ("Łukasz Żak", "Lukasz Zak"),
    ("İpek Işık", "Ipek Isik"),
    ("Pat O'Brien", "Pat O\u2019Brien"),
    ("Pat O'Brien", "OBrien, Pat"),
    ("Ronald McDonald", "Ronald Mc Donald"),
    ("Anna-Lena Weiß", "Annalena Weiss"),
    ("Jean\u2011Luc Étienne", "Jean-Luc Etienne"),
    ("Андрей Соколов", "АНДРЕЙ СОКОЛОВ"),
    ("Андрей Соколов", "Andrei Sokolov"),
    ("Μαρία Παππά", "ΜΑΡΙΑ ΠΑΠΠΑ"),
    ("محمد علي", "مُحَمَّد عَلِي"),
    ("김철수", "김\uffa0철수"),
    ("ﬁona Ek", "Fiona Ek"),
    ("Nguyễn Văn An", "Nguyen Van An"),
)
DIFFERENT: Final = (
    ("Mara Lindqvist", "Maria Lindqvist"),
    ("Mara Lindqvist", "Mara Lindquist"),
    ("Mara Lindqvist", "Mara Lind"),
    ("Mara Lindqvist", "Mara"),
    ("Mara Lindqvist", "Mara Lena Lindqvist"),
    ("Arne Holm", "Ame Holm"),
    ("Ian Lee", "Lan Lee"),
    ("Jan Blom", "Jan Bloem"),
    ("Jo Smith", "Joe Smith"),
    ("John Smith", "John Smith Jr"),
    ("Anna Muller", "Anna Mueller"),
    ("Don Smith", "Smith"),
    ("李雷", "李蕾"),
    ("がく", "かく"),
    ("कमल", "कमला"),
    ("김철수", "김철주"),
    ("محمد", "محمود"),
    ("สมชาย", "สมหญิง"),
    ("Иван Котов", "Иван Кошов"),
)
