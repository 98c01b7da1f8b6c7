from mtft.data.packing import TokenBatch as TokenBatch
from mtft.encoder.bert import EncoderConfig as EncoderConfig
from mtft.encoder.bert import EncoderOutput as EncoderOutput
from mtft.encoder.bert import SharedEncoder as SharedEncoder
from mtft.encoder.family import Family as Family
from mtft.runs.tracking import Tracked as Tracked
from mtft.runs.tracking import Tracker as Tracker
from mtft.selection.scorers import Scoring as Scoring
