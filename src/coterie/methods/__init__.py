"""Deep methods, one file each, by the name that ``--method`` takes."""

from coterie.clusterer import Clusterer
from coterie.methods.dac import DAC
from coterie.methods.dccm import DCCM
from coterie.methods.gatcluster import GATCluster
from coterie.methods.jule import JULE
from coterie.methods.tcc import TCC
from coterie.methods.udc import UDC

METHODS: dict[str, type[Clusterer]] = {
    "dac": DAC,
    "dccm": DCCM,
    "gatcluster": GATCluster,
    "jule": JULE,
    "tcc": TCC,
    "udc": UDC,
}
